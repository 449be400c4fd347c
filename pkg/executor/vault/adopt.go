package vault

import (
	"bytes"
	"context"
	"maps"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

var _ executor.Adopter = (*secretExecutor)(nil)

// Adopt gives the secret that the block names the mark of the step, with the notes of what counts as generated, in one write of its
// metadata: no version is made where the values are those of the block.
func (e *secretExecutor) Adopt(ctx context.Context, r executor.Request) (executor.Outputs, error) {
	if err := adoptable(r); err != nil {
		return nil, err
	}
	s, b, err := e.both(ctx, r)
	if err != nil {
		return nil, err
	}
	if err := s.take(ctx, b); err != nil {
		return nil, err
	}
	return e.Apply(ctx, r)
}

func adoptable(r executor.Request) error {
	if string(bytes.TrimSpace(r.Adopt)) == "true" {
		return nil
	}
	return fault.New(fault.GiveUp, fault.Invalid, "%s is taken over by saying true: its block says which secret it is", r.Step)
}

// take marks a secret that nobody has marked.
func (s session) take(ctx context.Context, b secretBlock) error {
	if err := s.versioned(ctx, b.place.mount); err != nil {
		return err
	}
	rec, err := s.look(ctx, b.place)
	if err != nil {
		return err
	}
	if err := s.takeable(b.place, rec); err != nil || !s.adopts(rec) {
		return err
	}
	values, err := s.values(ctx, b.place)
	if err != nil {
		return err
	}
	custom := s.supposed(b, rec, kept{values: values, notes: rec.custom})
	custom[mark] = s.owner()
	if err := s.annotate(ctx, b.place, custom); err != nil {
		return err
	}
	if rec, err = s.look(ctx, b.place); err != nil { // as claim does: whoever wrote last has it
		return err
	}
	return s.ours(b.place, rec)
}

// adopts tells whether a secret is one to be taken over.
func (s session) adopts(rec record) bool {
	return s.r.Adopt != nil && rec.exists && rec.custom[mark] == ""
}

// takeable is an error unless the secret is ours, or can become it.
func (s session) takeable(p place, rec record) error {
	switch {
	case s.r.Adopt != nil && !rec.exists:
		return fault.New(fault.GiveUp, fault.NotFound, "%s can't be taken over: %s has no secret %q", s.r.Step, s.target(), p)
	case !rec.exists || s.adopts(rec):
		return nil
	}
	return s.ours(p, rec)
}

// supposed are the notes of a secret that is taken over: what is as the block would generate it counts as generated.
func (s session) supposed(b secretBlock, rec record, k kept) map[string]string {
	notes := maps.Clone(k.notes)
	if !s.adopts(rec) {
		return notes
	}
	for name, how := range b.recipes {
		if value, _ := k.values[name].(string); how.fits(value) {
			notes[generatedNote+name] = how.note()
		}
	}
	return notes
}

// fits tells whether the recipe could have made a value.
func (c recipe) fits(value string) bool {
	letters := []rune(value)
	return len(letters) == *c.Length && !strings.ContainsFunc(value, func(l rune) bool { return !strings.ContainsRune(c.Alphabet, l) })
}

// planAdopt can't be certain of anything while values are not known.
func planAdopt(ctx context.Context, e *secretExecutor, r executor.Request) (executor.Plan, error) {
	if err := adoptable(r); err != nil {
		return executor.Plan{}, err
	}
	if len(r.Unknown) > 0 {
		return executor.Plan{Plan: event.Plan{Change: event.ChangeUnknown, Until: r.Until()}}, nil
	}
	return planOf(ctx, e, r, event.Apply)
}
