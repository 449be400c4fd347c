package consulkv

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/hashicorp/consul/api"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/secret"
)

// shownBytes bounds a value in a difference.
const shownBytes = 256

// planned tells what the changes of an apply or a destroy are, for people.
func (w *work) planned(p place, found tree, changes []change) []event.Difference {
	differences := make([]event.Difference, 0, len(changes))
	for _, c := range changes {
		pair := found[c.key]
		d := event.Difference{Path: w.path(p, c.key)}
		switch {
		case c.remove:
			d.Change = event.ChangeDestroy
			w.show(&d, &d.Before, c.flags, pair.Value)
		case pair == nil:
			d.Change = event.ChangeCreate
			w.show(&d, &d.After, c.flags, c.value)
		case bytes.Equal(pair.Value, c.value):
			d = w.marks(d.Path, pair.Flags, c.flags)
		default:
			d.Change = event.ChangeUpdate
			w.show(&d, &d.Before, c.flags|pair.Flags, pair.Value)
			w.show(&d, &d.After, c.flags|pair.Flags, c.value)
		}
		differences = append(differences, concealed(d))
	}
	return differences
}

// drift tells how the keys are not as they were left, for people.
func (w *work) drift(found tree, want wanted) []event.Difference {
	var differences []event.Difference
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if d, ok := w.strayed(found[key], key, want[key]); ok {
			differences = append(differences, concealed(d))
		}
	}
	for _, pair := range w.owned(w.here, found) {
		if _, ok := want[pair.Key]; !ok { // what its value is, nobody has said that it may be shown
			differences = append(differences, concealed(event.Difference{
				Path: w.path(w.here, pair.Key), Change: event.ChangeCreate, After: secret.Shown, Sensitive: true,
			}))
		}
	}
	slices.SortStableFunc(differences, func(a, b event.Difference) int { return cmp.Compare(a.Path, b.Path) })
	return differences
}

// strayed compares one key that was left with a value.
func (w *work) strayed(pair *api.KVPair, key string, left []byte) (d event.Difference, ok bool) {
	flags := w.flags(left)
	d = event.Difference{Path: w.path(w.here, key)}
	w.show(&d, &d.Before, flags, left)
	switch {
	case pair == nil:
		d.Change = event.ChangeDestroy
	case !w.mine(w.here, pair): // somebody else's value is not ours to show
		d.Change, d.Before, d.After, d.Sensitive = event.ChangeReplace, secret.Shown, secret.Shown, true
	case !bytes.Equal(pair.Value, left):
		d.Change = event.ChangeUpdate
		w.show(&d, &d.After, flags, pair.Value)
	case pair.Flags != flags:
		d = w.marks(d.Path, flags, pair.Flags)
	default:
		return d, false
	}
	return d, true
}

// marks is for a key whose value is right, but not the flags that say whose it is.
func (w *work) marks(path string, before, after uint64) event.Difference {
	return event.Difference{
		Path: path + " flags", Change: event.ChangeUpdate, Before: strconv.FormatUint(before, 10), After: strconv.FormatUint(after, 10),
	}
}

func (w *work) path(p place, key string) string {
	if p.datacenter != w.here.datacenter {
		return w.r.Mask(key) + " (" + p.datacenter + ")"
	}
	return w.r.Mask(key)
}

// show puts a value into one side of a difference, or marks it as one that nobody may see.
func (w *work) show(d *event.Difference, side *string, flags uint64, value []byte) {
	if *side = shown(value); flags&hiddenFlag != 0 || w.hidden(value) {
		d.Sensitive = true
	}
	if *side == "" {
		*side = `""`
	}
}

// concealed hides both sides of a difference when one may not be seen.
func concealed(d event.Difference) event.Difference {
	for _, side := range []*string{&d.Before, &d.After} {
		if d.Sensitive && *side != "" {
			*side = secret.Shown
		}
	}
	return d
}

// hidden tells whether a value has a secret in it, as text or as JSON.
func (w *work) hidden(value []byte) bool {
	if len(w.r.Secrets) == 0 {
		return false
	}
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
