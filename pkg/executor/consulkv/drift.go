package consulkv

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/vivarium-env/vivarium/pkg/executor"
)

// Kind of a Difference.
const (
	// Missing: the key should be there.
	Missing = "missing"
	// Changed: the key has another value.
	Changed = "changed"
	// Unmarked: the value is right, but the flags that say whose the key is are not.
	Unmarked = "unmarked"
	// Foreign: somebody else's key lies where one of ours should.
	Foreign = "foreign"
	// Extra: the key is ours and should not be there.
	Extra = "extra"
)

// shownBytes bounds a value in a Difference.
const shownBytes = 256

// Difference is one key that is not as the inputs say.
type Difference struct {
	Key  string `json:"key"`
	Kind string `json:"kind"`
	// Want and Have are the values, cut to 256 bytes; empty where there is none, and both where one may be secret.
	Want string `json:"want,omitempty"`
	Have string `json:"have,omitempty"`
	// Hidden: the values are not shown, since the value wanted is a secret, or what is there is nobody's to show.
	Hidden bool `json:"hidden,omitempty"`
}

// Drift compares the keys with the inputs, and changes nothing. The differences are in the order of their keys; none is
// no drift. Safe for concurrent use.
func (e *Executor) Drift(ctx context.Context, r executor.Request) ([]Difference, error) {
	w, err := e.begin(ctx, r)
	if err != nil {
		return nil, err
	}
	want, err := w.block.render(r)
	if err != nil {
		return nil, err
	}
	found, err := w.read(ctx, w.here)
	if err != nil {
		return nil, err
	}
	if len(w.owned(w.here, found)) == 0 {
		if err := w.prove(ctx, w.here, found); err != nil {
			return nil, err
		}
	}
	differences := w.differences(found, want)
	slices.SortFunc(differences, func(a, b Difference) int { return strings.Compare(a.Key, b.Key) })
	return differences, nil
}

func (w *work) differences(found tree, want wanted) (differences []Difference) {
	for _, key := range slices.Sorted(maps.Keys(want)) {
		pair := found[key]
		d := Difference{Key: w.r.Mask(key)}
		switch {
		case pair == nil:
			d.Kind = Missing
		case !w.mine(w.here, pair):
			d.Kind = Foreign
		case !bytes.Equal(pair.Value, want[key]):
			d.Kind = Changed
		case pair.Flags != w.mark:
			d.Kind = Unmarked
		default:
			continue
		}
		if d.Hidden = w.hidden(want[key]) || d.Kind == Foreign; !d.Hidden {
			d.Want = shown(want[key])
			if pair != nil {
				d.Have = w.r.Mask(shown(pair.Value))
			}
		}
		differences = append(differences, d)
	}
	for _, pair := range w.owned(w.here, found) {
		if _, ok := want[pair.Key]; !ok {
			differences = append(differences, Difference{Key: w.r.Mask(pair.Key), Kind: Extra, Hidden: true})
		}
	}
	return differences
}

// hidden tells whether a value has a secret in it, as text or as JSON.
func (w *work) hidden(value []byte) bool {
	text, err := json.Marshal(string(value))
	return err != nil || w.r.Holds(text) || json.Valid(value) && w.r.Holds(value)
}

func shown(value []byte) string {
	if !utf8.Valid(value) {
		return "(not text)"
	}
	if len(value) <= shownBytes {
		return string(value)
	}
	cut := value[:shownBytes]
	for len(cut) > 0 && !utf8.Valid(cut) {
		cut = cut[:len(cut)-1]
	}
	return string(cut) + "…"
}
