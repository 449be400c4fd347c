package storetest

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/store"
)

func state(name, step, data string) store.StepState {
	return store.StepState{Environment: name, Step: step, Hash: "hash of " + data, Data: []byte(data)}
}

// states appends one entry and the states.
func (j *journal) states(t *testing.T, created []string, states ...store.StepState) {
	t.Helper()
	b := batch(j.partition, j.head+1, 1, "any")
	b.Changes.Created = created
	for _, name := range created {
		b.Changes.Environments = append(b.Changes.Environments, record(name))
	}
	b.States = states
	require.NoError(t, j.store.Append(t.Context(), b))
	j.head++
}

func requireStates(t *testing.T, s store.Store, want ...store.StepState) {
	t.Helper()
	for _, w := range want {
		got, err := s.State(t.Context(), w.Environment, w.Step)
		require.NoError(t, err, "%s %s", w.Environment, w.Step)
		require.True(t, bytes.Equal(w.Data, got.Data), "%s %s has other data, or only a part of it", w.Environment, w.Step)
		got.Data = w.Data // some have megabytes, which a comparison by reflection takes long for
		require.Equal(t, w, got)
	}
}

func requireNoState(t *testing.T, s store.Store, name string, steps ...string) {
	t.Helper()
	for _, step := range steps {
		_, err := s.State(t.Context(), name, step)
		require.ErrorIs(t, err, store.ErrNotFound, "%s %s", name, step)
	}
}

// testStates: the last state of each step is kept, and only that of its step goes.
func testStates(t *testing.T, place Reopener) {
	s := opened(t, place)
	j := &journal{store: s}
	requireNoState(t, s, "a", "x", "")
	large := state("b", "x", string(bytes.Repeat([]byte("\x00\xff large"), 1<<18)))
	large.Hash = "large"
	j.states(t, []string{"a", "b"}, state("a", "x", "old"), state("a", `y["k"]`, "1"), large)
	j.states(t, nil, state("a", "x", "between"), state("a", "x", "new"))
	requireStates(t, s, state("a", "x", "new"), state("a", `y["k"]`, "1"), large)
	s = reopened(t, s, place)
	j.store = s
	requireStates(t, s, state("a", "x", "new"), state("a", `y["k"]`, "1"), large)

	j.states(t, nil, store.StepState{Environment: "a", Step: "x"}, store.StepState{Environment: "a", Step: "never"})
	requireNoState(t, s, "a", "x", "never", "y", "%", "")
	requireStates(t, s, state("a", `y["k"]`, "1"), large)
	j.states(t, nil, state("a", "x", "1"), store.StepState{Environment: "a", Step: "x"}, state("a", "x", "2"))
	requireStates(t, s, state("a", "x", "2"))

	j.states(t, nil, store.StepState{Environment: "a"}, state("a", "z", "3"))
	requireNoState(t, s, "a", "x", `y["k"]`)
	requireStates(t, s, state("a", "z", "3"), large)
	s = reopened(t, s, place)
	requireNoState(t, s, "a", "x", `y["k"]`)
	requireStates(t, s, state("a", "z", "3"), large)
}

// testStatesCreated: an environment that is made again under its old name has none of its earlier states, and keeps those
// that come with it.
func testStatesCreated(t *testing.T, place Reopener) {
	s := opened(t, place)
	j := &journal{store: s}
	j.states(t, []string{"a", "b"}, state("a", "x", "1"), state("a", "y", "1"), state("b", "x", "1"))
	j.states(t, []string{"a"}, state("a", "y", "2"))
	requireNoState(t, s, "a", "x")
	requireStates(t, s, state("a", "y", "2"), state("b", "x", "1"))
}

// testStatesAtomic: a state is written with its entries or not at all.
func testStatesAtomic(t *testing.T, place Reopener) {
	s := opened(t, place)
	j := &journal{store: s}
	j.states(t, nil, state("a", "x", "1"))
	refused := batch(0, 1, 1, "a")
	refused.States = []store.StepState{state("a", "x", "2"), state("a", "y", "2")}
	refused.Changes = environment.Changes{Created: []string{"a"}}
	require.ErrorIs(t, s.Append(t.Context(), refused), store.ErrConflict)
	requireStates(t, s, state("a", "x", "1"))
	requireNoState(t, s, "a", "y")
}
