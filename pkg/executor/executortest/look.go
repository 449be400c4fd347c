package executortest

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/secret"
)

// plan follows a resource through its life; every plan before and after a step is right, and changes nothing.
func (s Suite) plan(t *testing.T) {
	b := s.bench(t, t.TempDir(), s.Plain)
	s.requirePlan(t, b, event.Destruct, event.ChangeNone)
	s.requirePlan(t, b, event.Apply, event.ChangeCreate)
	b.apply(t, nil)
	s.requirePlan(t, b, event.Apply, event.ChangeNone)
	if s.Unobservable {
		s.requirePlan(t, b, event.Destruct, event.ChangeNone)
		return
	}
	s.requirePlan(t, b, event.Destruct, event.ChangeDestroy)
	b.destroy(t)
	s.requirePlan(t, b, event.Destruct, event.ChangeNone)
	s.requirePlan(t, b, event.Apply, event.ChangeCreate)
}

// requirePlan wants a plan that does not change what is observed.
func (s Suite) requirePlan(t *testing.T, b *bench, verb event.Verb, want ...event.Change) event.Plan {
	t.Helper()
	before := b.observe(t)
	plan := b.plan(t, verb)
	require.Contains(t, want, plan.Change, "the plan of %s is %+v", verb, plan.Plan)
	require.Equal(t, before, b.observe(t), "a plan changed something")
	if plan.Change == event.ChangeNone {
		require.Empty(t, plan.Differences, "no change has no differences")
	}
	require.Equal(t, plan.Change == event.ChangeUnknown, len(plan.Until) > 0, "what is unknown, and nothing else, says until when")
	return plan.Plan
}

// saved applies a plan as it was saved, and not when the world has moved since.
func (s Suite) saved(t *testing.T) {
	b := s.bench(t, t.TempDir(), s.Plain)
	plan := b.plan(t, event.Apply)
	b.apply(t, plan.Saved)
	s.requirePlan(t, b, event.Apply, event.ChangeNone)
	if plan.Saved == nil {
		return
	}
	_, err := b.Apply(t.Context(), b.next(t, plan.Saved))
	requireCode(t, err, fault.Conflict)
	s.requirePlan(t, b, event.Apply, event.ChangeNone)
}

func (s Suite) planOther(t *testing.T) {
	b := s.bench(t, t.TempDir(), s.Plain)
	b.apply(t, nil)
	b.request.Inputs = s.Other
	plan := s.requirePlan(t, b, event.Apply, event.ChangeUpdate, event.ChangeReplace)
	require.NotEmpty(t, plan.Differences)
	b.apply(t, nil)
	s.requirePlan(t, b, event.Apply, event.ChangeNone)
	s.requireUndrifted(t, b)
}

// planPartial never guesses: what is there is unknown until its inputs are known.
func (s Suite) planPartial(t *testing.T) {
	b := s.bench(t, t.TempDir(), s.Partial.Inputs)
	b.request.Unknown = s.Partial.Unknown
	until := b.request.Until()
	require.NotEmpty(t, until, "the suite's inputs wait for something")
	if plan := s.requirePlan(t, b, event.Apply, event.ChangeUnknown, event.ChangeCreate); plan.Change == event.ChangeUnknown {
		require.Subset(t, until, plan.Until)
	}
	b.request.Inputs, b.request.Unknown = s.Plain, nil
	b.apply(t, nil)
	b.request.Inputs, b.request.Unknown = s.Partial.Inputs, s.Partial.Unknown
	require.Subset(t, until, s.requirePlan(t, b, event.Apply, event.ChangeUnknown).Until)
}

// drift is found, planned and mended.
func (s Suite) drift(t *testing.T) {
	b := s.bench(t, t.TempDir(), s.Plain)
	b.apply(t, nil)
	s.requireUndrifted(t, b)
	s.Tamper(t, b.request)
	found := b.observe(t)
	require.True(t, found.Drifted, "what was changed behind its back is seen")
	require.NotEmpty(t, found.Differences)
	plan := s.requirePlan(t, b, event.Apply, event.ChangeUpdate, event.ChangeReplace, event.ChangeCreate)
	require.NotEmpty(t, plan.Differences)
	b.apply(t, nil)
	s.requireUndrifted(t, b)
	s.requirePlan(t, b, event.Apply, event.ChangeNone)
}

// driftOfSecrets shows no value that nobody may see, neither as it was nor as it is.
func (s Suite) driftOfSecrets(t *testing.T) {
	b := s.bench(t, t.TempDir(), s.WithSecret)
	b.request.Secrets = []string{Secret}
	b.apply(t, nil)
	s.Tamper(t, b.request)
	b.observe(t)
	b.plan(t, event.Apply)
	b.plan(t, event.Destruct)
}

func (s Suite) requireUndrifted(t *testing.T, b *bench) {
	t.Helper()
	s.requirePresence(t, b, event.Present)
	found := b.observe(t)
	require.False(t, found.Drifted, "%+v", found.Differences)
	require.Empty(t, found.Differences)
}

// requireReadable checks what people will read: there is no secret in it, neither of the inputs nor of the outputs.
func (b *bench) requireReadable(t *testing.T, v any) {
	t.Helper()
	text, err := json.Marshal(v)
	require.NoError(t, err)
	r := b.looking(t)
	for _, hidden := range r.Secrets {
		if len(hidden) >= 8 { // shorter ones may be found in anything
			require.NotContains(t, string(text), hidden)
		}
	}
	require.NotContains(t, string(text), Secret)
	differences, _ := v.([]event.Difference)
	for _, d := range differences {
		require.Contains(t, event.Changes(), d.Change, "%+v", d)
		require.NotEmpty(t, d.Path, "%+v", d)
		if d.Sensitive {
			require.Subset(t, []string{"", secret.Shown}, []string{d.Before, d.After}, "%+v", d)
		}
	}
}

// anotherRunner goes on where the first one stopped, with what the server keeps and nothing else.
func (s Suite) anotherRunner(t *testing.T) {
	b := s.bench(t, t.TempDir(), s.Plain)
	first := b.apply(t, nil)
	other := s.elsewhere(t, b)
	s.requirePresence(t, other, event.Present)
	require.Equal(t, first, other.apply(t, nil))
	third := s.elsewhere(t, other)
	third.destroy(t)
	s.requirePresence(t, b, event.Absent)
}
