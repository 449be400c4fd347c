package vault

import (
	"context"
	"encoding/json"
	"maps"

	"github.com/vivarium-env/vivarium/pkg/event"
)

// peek is open without a claim: elsewhere is that the store was at another place before.
func (s session) peek(ctx context.Context, p place) (st stored, elsewhere bool, err error) {
	if err := s.versioned(ctx, p.mount); err != nil {
		return st, false, err
	}
	rec, err := s.look(ctx, p)
	if err != nil {
		return st, false, err
	}
	if rec.exists {
		if err := s.ours(p, rec); err != nil {
			return st, false, err
		}
	}
	st = stored{place: p, record: rec, values: map[string]string{}}
	from := p
	if before, ok := placeBefore(s.r, "store_mount", "store"); ok && before != p {
		elsewhere = true
		old, err := s.look(ctx, before)
		if err != nil {
			return st, elsewhere, err
		}
		if rec.version == 0 && old.exists && s.ours(before, old) == nil {
			from = before
			carried := maps.Clone(old.custom)
			maps.Copy(carried, rec.custom)
			st.record.custom = carried
		}
	}
	values, err := s.values(ctx, from)
	for k, v := range values {
		st.values[k], _ = v.(string)
	}
	return st, elsewhere, err
}

// moves are the differences of a store that goes to another place.
func (s session) moves(p place) []event.Difference {
	before, _ := placeBefore(s.r, "store_mount", "store")
	return []event.Difference{gone(s.r, before.String()), created(s.r, p.String(), "")}
}

// strayed compares values of the store with the outputs of the last apply that have their names.
func (s session) strayed(st stored, names ...string) []event.Difference {
	var outputs map[string]json.RawMessage
	if json.Unmarshal(s.r.Outputs, &outputs) != nil {
		return nil
	}
	if !st.record.exists {
		return []event.Difference{gone(s.r, st.place.String())}
	}
	was, is := map[string]string{}, map[string]string{}
	for _, name := range names {
		was[name] = outputText(s.r, name)
		if v, ok := st.values[name]; ok {
			is[name] = v
		}
	}
	return hiddenDifferences(s.r, st.place.String()+" ", was, is)
}
