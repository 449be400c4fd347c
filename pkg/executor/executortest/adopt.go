package executortest

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// adopter tells whether the executor takes over what exists, which its kind has to say too.
func (s Suite) adopter(t *testing.T) bool {
	t.Helper()
	e := s.New(t, t.TempDir())
	_, is := e.(executor.Adopter)
	require.Equal(t, is, e.Kind().Adopts, "the kind says whether the executor is an Adopter")
	return is
}

// take adopts what the bench's request names, and keeps the outputs; the plan of it is returned.
func (b *bench) take(t *testing.T, id json.RawMessage) event.Plan {
	t.Helper()
	b.request.Adopt = id
	plan := b.plan(t, event.Apply)
	outputs, err := b.Executor.(executor.Adopter).Adopt(t.Context(), b.next(t, plan.Saved))
	require.NoError(t, err)
	b.keep(t, outputs)
	b.request.Adopt = nil
	return plan.Plan
}

// adopt is followed by a life like any other.
func (s Suite) adopt(t *testing.T) {
	b := s.bench(t, t.TempDir(), s.Plain)
	id := s.Adopt(t, b.request)
	b.request.Adopt = id
	require.Equal(t, event.ChangeNone, s.requirePlan(t, b, event.Apply, event.ChangeNone).Change)
	require.Equal(t, event.ChangeNone, b.take(t, id).Change)
	require.NotEmpty(t, b.outputs)
	s.requirePlan(t, b, event.Apply, event.ChangeNone)
	s.requireUndrifted(t, b)
	b.take(t, id) // an attempt that did not come to its end is made again
	s.requireUndrifted(t, b)
	b.apply(t, nil)
	s.requirePlan(t, b, event.Apply, event.ChangeNone)
	other := s.elsewhere(t, b)
	s.requirePlan(t, other, event.Apply, event.ChangeNone)
	other.destroy(t)
	require.Equal(t, event.Absent, b.observe(t).Presence)
}

// adoptOther shows what would change, and changes it only where that is done all the same.
func (s Suite) adoptOther(t *testing.T) {
	b := s.bench(t, t.TempDir(), s.Plain)
	b.request.Adopt = s.Adopt(t, b.request)
	b.request.Inputs = s.Other
	plan := s.requirePlan(t, b, event.Apply, event.ChangeUpdate, event.ChangeReplace)
	require.NotEmpty(t, plan.Differences)
	b.take(t, b.request.Adopt)
	s.requirePlan(t, b, event.Apply, event.ChangeNone)
	s.requireUndrifted(t, b)
	b.destroy(t)
}

func (s Suite) adoptAbsent(t *testing.T) {
	b := s.bench(t, t.TempDir(), s.Plain)
	gone := s.bench(t, t.TempDir(), s.Plain)
	gone.request.Environment = b.request.Environment
	id := s.Adopt(t, gone.request)
	gone.take(t, id)
	gone.destroy(t)
	b.request.Adopt = id
	absent := func(err error) {
		t.Helper()
		require.Error(t, err)
		require.Contains(t, []fault.Code{fault.NotFound, fault.ExecutorFailed}, fault.From(err).Code, "%v", err)
	}
	_, err := b.Plan(t.Context(), b.looking(t), event.Apply)
	absent(err)
	_, err = b.Executor.(executor.Adopter).Adopt(t.Context(), b.next(t, nil))
	absent(err)
	b.request.Adopt = json.RawMessage(`{"no":["id"]}`)
	_, err = b.Plan(t.Context(), b.looking(t), event.Apply)
	requireCode(t, err, fault.Invalid)
	require.Equal(t, event.Absent, b.observe(t).Presence)
	b.request.Adopt = nil
	b.destroy(t)
}

// adoptForeign leaves alone what another step has, and what it has taken over.
func (s Suite) adoptForeign(t *testing.T) {
	first := s.bench(t, t.TempDir(), s.Plain)
	id := s.Adopt(t, first.request)
	first.take(t, id)
	b := s.bench(t, t.TempDir(), s.Plain)
	b.request.Environment, b.request.Step, b.request.Adopt = first.request.Environment, first.request.Step+"-too", id
	_, err := b.Plan(t.Context(), b.looking(t), event.Apply)
	requireCode(t, err, fault.Exists)
	_, err = b.Executor.(executor.Adopter).Adopt(t.Context(), b.next(t, nil))
	requireCode(t, err, fault.Exists)
	s.requireUndrifted(t, first)
	b.request.Adopt = nil
	b.destroy(t)
	require.Equal(t, event.Present, first.observe(t).Presence, "what was refused is not destroyed")
	first.destroy(t)
}
