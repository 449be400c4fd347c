package vault

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
)

// Plan compares the values in Vault with those that an apply would keep; it shows none of them.
func (e *secretExecutor) Plan(ctx context.Context, r executor.Request, verb event.Verb) (executor.Plan, error) {
	if verb == event.Apply && r.Adopt != nil {
		return planAdopt(ctx, e, r)
	}
	return planOf(ctx, e, r, verb)
}

// Observe looks for a secret of this step, and whether its values and its version are those that the last apply left.
func (e *secretExecutor) Observe(ctx context.Context, r executor.Request) (event.Observation, error) {
	return observationOf(ctx, e, r)
}

func (*secretExecutor) identity() []string { return []string{"mount", "path"} }

func (e *secretExecutor) traces(ctx context.Context, r executor.Request) ([]string, error) {
	s, b, err := e.both(ctx, r)
	if err != nil {
		return nil, err
	}
	return s.ownedPlaces(ctx, places(r, b.place, "mount", "path"))
}

func (e *secretExecutor) both(ctx context.Context, r executor.Request) (s session, b secretBlock, err error) {
	if s, err = e.begin(ctx, r); err == nil {
		b, err = decodeSecret(r)
	}
	return s, b, err
}

func (e *secretExecutor) view(ctx context.Context, r executor.Request) (v view, err error) {
	s, b, err := e.both(ctx, r)
	if err != nil {
		return v, err
	}
	if err := s.versioned(ctx, b.place.mount); err != nil {
		return v, err
	}
	rec, err := s.look(ctx, b.place)
	if err != nil {
		return v, err
	}
	if err := s.takeable(b.place, rec); err != nil {
		return v, err
	}
	k, err := s.kept(ctx, b, rec)
	if err != nil {
		return v, err
	}
	k.notes = s.supposed(b, rec, k)
	before, moved := placeBefore(r, "mount", "path")
	v.there, v.elsewhere = rec.version > 0, moved && before != b.place
	if v.elsewhere {
		v.asked = append(v.asked, gone(r, before.String()), created(r, b.place.String(), ""))
	}
	v.asked = append(v.asked, b.asked(r, k)...)
	v.left = s.left(b, rec, k)
	return v, nil
}

// asked are the values that an apply would write, rotate and remove.
func (b secretBlock) asked(r executor.Request, k kept) []event.Difference {
	want := map[string]any{}
	for name, value := range b.Data {
		want[name] = value
	}
	rotated := map[string]bool{}
	for name, how := range b.recipes {
		old, _ := k.values[name].(string)
		if want[name] = any(old); old == "" || k.notes[generatedNote+name] != how.note() {
			want[name], rotated[name] = nil, old != "" // which no value that is kept is
		}
	}
	differences := hiddenDifferences(r, "data.", k.values, want)
	for i, d := range differences {
		if rotated[strings.TrimPrefix(d.Path, "data.")] {
			differences[i].Path += ", made anew"
		}
	}
	for _, note := range slices.Sorted(maps.Keys(k.notes)) {
		name, is := strings.CutPrefix(note, generatedNote)
		if _, wanted := b.recipes[name]; is && !wanted {
			differences = append(differences, gone(r, "custom_metadata."+note))
		}
	}
	return differences
}

// left compares with the outputs of the last apply.
func (s session) left(b secretBlock, rec record, k kept) []event.Difference {
	var outputs struct {
		Version int            `json:"version"`
		Data    map[string]any `json:"data"`
	}
	if json.Unmarshal(s.r.Outputs, &outputs) != nil {
		return nil
	}
	if !rec.exists {
		return []event.Difference{gone(s.r, b.place.String())}
	}
	var differences []event.Difference
	if rec.version != outputs.Version {
		differences = append(differences, open(s.r, "version", numbered(outputs.Version), numbered(rec.version)))
	}
	return append(differences, hiddenDifferences(s.r, "data.", outputs.Data, k.values)...)
}
