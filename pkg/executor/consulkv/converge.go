package consulkv

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/resilience"
)

// rounds is how often the keys are read anew and written before it is said that somebody else keeps changing them.
const rounds = 6

// change is one key to be written or removed, provided that its index is still the one that was read.
type change struct {
	key    string
	value  []byte
	flags  uint64
	index  uint64 // 0: it must not be there
	remove bool
}

// converge makes the keys below the prefix be as wanted and returns what was read when nothing was left to do. Keys for
// which keep, where there is one, tells so are left alone.
func (w *work) converge(ctx context.Context, p place, want wanted, keep func(*api.KVPair) bool) (tree, error) {
	var done tally
	contested := ""
	for round := range rounds {
		found, err := w.read(ctx, p)
		if err != nil {
			return nil, err
		}
		changes, foreign := w.changes(p, found, want, keep)
		if len(foreign) > 0 {
			return nil, w.taken(foreign)
		}
		if err := w.absent(found); err != nil && want != nil {
			return nil, err
		}
		if len(changes) == 0 {
			w.say(p, done, len(want))
			return found, nil
		}
		if contested, err = w.write(ctx, p, changes, &done); err != nil {
			return nil, err
		}
		if contested != "" {
			if err := pause(ctx, round); err != nil {
				return nil, err
			}
		} else {
			contested = changes[0].key
		}
	}
	return nil, fault.New(fault.Retry, fault.Conflict,
		"somebody else keeps changing the key %q of %s while it is written: %d times it was read anew, and was another one by the time "+
			"it was written; find who else writes it in Consul at %s", w.r.Mask(contested), w.r.Step, rounds, w.target(p))
}

// changes compares; foreign are the keys that are wanted and somebody else's. Writes come before removals, so that a
// key that was renamed is there under one of its names throughout.
func (w *work) changes(p place, found tree, want wanted, keep func(*api.KVPair) bool) (changes []change, foreign []*api.KVPair) {
	for _, key := range slices.Sorted(maps.Keys(want)) {
		pair, flags := found[key], w.flags(want[key])
		switch {
		case pair == nil:
			changes = append(changes, change{key: key, value: want[key], flags: flags})
		case !w.mine(p, pair):
			foreign = append(foreign, pair)
		case pair.Flags != flags || !bytes.Equal(pair.Value, want[key]):
			changes = append(changes, change{key: key, value: want[key], flags: flags, index: pair.ModifyIndex})
		}
	}
	for _, pair := range w.owned(p, found) {
		if _, ok := want[pair.Key]; !ok && (keep == nil || !keep(pair)) {
			changes = append(changes, change{key: pair.Key, flags: pair.Flags, index: pair.ModifyIndex, remove: true})
		}
	}
	return changes, foreign
}

// tally counts what was done.
type tally struct{ written, removed int }

func (w *work) say(p place, done tally, all int) {
	w.options.Log.Debug("keys are as wanted", "environment", w.r.Environment, "step", w.r.Step, "attempt", w.r.Attempt,
		"written", done.written, "removed", done.removed, "keys", all)
	if w.r.Log == nil {
		return
	}
	below := w.r.Mask(p.folder())
	if done == (tally{}) {
		w.r.Log("out", fmt.Sprintf("nothing to change below %s: %d keys are as they should be", below, all))
		return
	}
	w.r.Log("out", fmt.Sprintf("wrote %d and removed %d keys below %s, which has %d of ours now", done.written, done.removed, below, all))
}

// pause gives the other one time to finish; longer each time, and not the same for two that met.
func pause(ctx context.Context, round int) error {
	base := 10 * time.Millisecond << round
	if err := resilience.Pause(ctx, base/2+rand.N(base)); err != nil {
		return fault.From(err)
	}
	return nil
}
