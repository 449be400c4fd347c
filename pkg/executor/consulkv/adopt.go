package consulkv

import (
	"bytes"
	"context"
	"slices"

	"github.com/hashicorp/consul/api"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Adopt gives the keys of the block that are there, and carry nobody's flags, the mark of the step. The block says which they
// are, so the request says no more than true.
func (e *Executor) Adopt(ctx context.Context, r executor.Request) (executor.Outputs, error) {
	return e.Apply(ctx, r)
}

// adopting reads what is to be taken over, and finds the keys.
func (w *work) adopting() error {
	if w.r.Adopt == nil {
		return nil
	}
	if string(bytes.TrimSpace(w.r.Adopt)) != "true" {
		return fault.New(fault.GiveUp, fault.Invalid, "%s is taken over by saying true: its block says which keys they are", w.r.Step)
	}
	keys, err := w.block.keys()
	if err != nil {
		return err
	}
	w.taking = make(map[string]bool, len(keys))
	for name := range keys {
		w.taking[w.here.folder()+name] = true
	}
	return nil
}

// adopts tells whether a key is one to be taken over. What has flags of its own is somebody's.
func (w *work) adopts(pair *api.KVPair) bool { return w.taking[pair.Key] && pair.Flags == 0 }

// absent fails where none of the keys is there that are to be taken over.
func (w *work) absent(found tree) error {
	if w.r.Adopt == nil || len(w.owned(w.here, found)) > 0 {
		return nil
	}
	return fault.New(fault.GiveUp, fault.NotFound, "%s can't be taken over: below %s there is none of its keys that nobody else has marked", w.r.Step, w.r.Mask(w.here.folder()))
}

// besidesMarks leaves out the keys that get nothing but the mark.
func (w *work) besidesMarks(found tree, changes []change) []change {
	return slices.DeleteFunc(slices.Clone(changes), func(c change) bool {
		pair := found[c.key]
		return pair != nil && !c.remove && w.adopts(pair) && bytes.Equal(pair.Value, c.value)
	})
}
