package environment

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// save is a state of the present attempt of a step, unless ref was taken earlier.
func (st *stage) save(ref event.TaskRef, runner string, number int, hash string) []string {
	in := StateInput{TaskRef: ref, Runner: runner, Number: number}
	if hash != "" {
		in.StateRef = StateRef{Hash: hash, Size: len(hash)}
	}
	types, _ := st.decide(in)
	return types
}

func (st *stage) last() Body { return st.all[len(st.all)-1].Body }

func TestTheNextAttemptGetsWhatWasSavedLast(t *testing.T) {
	n := node("a")
	st := newStage(t, n)
	st.create("1", event.Create{}, n)
	first := st.ref("a")
	require.Equal(t, []string{"step.running a", "step.state a"}, st.save(first, "r/1", 1, "one"), "it counts as an acceptance")
	require.Equal(t, StateSaved{Operation: "op-1", Step: "a", Attempt: 1, Runner: "r/1", Number: 1, StateRef: StateRef{Hash: "one", Size: 3}}, st.last())
	require.Equal(t, []string{"step.state a"}, st.save(first, "r/1", 2, "two"))
	require.Empty(t, st.save(first, "r/1", 1, "one"), "a copy that comes late")
	require.Equal(t, "two", st.s.Step("a").StateHash)

	st.now = st.now.Add(15 * time.Second)
	st.save(first, "r/1", 3, "three")
	st.now = st.now.Add(15 * time.Second)
	types, _ := st.decide(TickInput{})
	require.Empty(t, types, "it keeps the lease, as a heartbeat does")
	st.now = st.now.Add(6 * time.Second)
	types, _ = st.decide(TickInput{})
	require.Equal(t, []string{"step.queued a"}, types)
	require.Empty(t, st.save(first, "r/1", 3, "three"), "a copy of what is kept is no news")
	require.Equal(t, []string{"result.refused"}, st.save(first, "r/1", 4, "four"))
	require.Equal(t, TaskRefused{Operation: "op-1", Step: "a", Attempt: 1, Runner: "r/1", Epoch: 2, State: &StateRef{Hash: "four", Size: 4}}, st.last())

	st.now = st.now.Add(2 * time.Second)
	types, _ = st.decide(TickInput{})
	require.Equal(t, []string{"step.waiting a"}, types)
	require.Equal(t, []string{"result.refused"}, st.save(first, "r/1", 5, "five"))
	second := st.ref("a")
	st.save(second, "r/2", 1, "six")
	require.Equal(t, []string{"result.refused"}, st.save(second, "r/1", 1, "seven"), "another runner than the one that has the step")
	stale := second
	stale.Epoch = 1
	require.Equal(t, []string{"result.refused"}, st.save(stale, "r/2", 2, "eight"))
	require.Equal(t, "six", st.s.Step("a").StateHash)
	st.decide(ResultInput{event.Result{TaskRef: second, Runner: "r/2", Outputs: json.RawMessage("{}")}})
	require.Equal(t, Deployed, st.s.Status)
	require.Empty(t, st.save(second, "r/2", 1, "six"), "a copy behind the result")
	require.Equal(t, []string{"result.refused"}, st.save(second, "r/2", 2, "nine"))
	require.Equal(t, "six", st.s.Step("a").StateHash)
}

func TestADestroyHasTheStateAndEndsIt(t *testing.T) {
	nodes := []Node{node("a"), node("b")}
	st := newStage(t, nodes...)
	st.create("1", event.Create{}, nodes...)
	st.save(st.ref("a"), "r/1", 1, "one")
	st.save(st.ref("b"), "r/1", 1, "two")
	st.finish("a", nil)
	st.finish("b", nil)
	st.decide(DestroyInput{CommandMeta: CommandMeta{CommandID: "2"}})
	require.Equal(t, "one", st.s.Step("a").StateHash)
	st.save(st.ref("a"), "r/1", 1, "three")
	st.finish("a", broken)
	require.Equal(t, []string{"step.running b", "step.state b"}, st.save(st.ref("b"), "r/1", 1, ""))
	require.True(t, st.last().(StateSaved).Removed)
	require.Empty(t, st.s.Step("b").StateHash)
	st.finish("b", nil)
	require.Equal(t, DestroyFailed, st.s.Status)
	st.decide(RetryInput{CommandMeta: CommandMeta{CommandID: "3"}})
	require.Equal(t, "three", st.s.Step("a").StateHash, "the retry goes on from there")
	st.finish("a", nil)
	require.Equal(t, Destroyed, st.s.Status)
	require.Empty(t, st.s.Step("a").StateHash, "nothing is left that it could tell of")
}

func TestAStepWhoseStateIsGoneIsNotOffered(t *testing.T) {
	n := node("a")
	st := newStage(t, n)
	st.create("1", event.Create{}, n)
	st.save(st.ref("a"), "r/1", 1, "one")
	st.finish("a", nil)
	d := st.d.Decide(st.s, Surroundings{Resolver: st.plan, State: func(address, hash string) error {
		require.Equal(t, [2]string{"a", "one"}, [2]string{address, hash})
		return fault.New(fault.GiveUp, fault.NotFound, "gone")
	}}, DestroyInput{CommandMeta: CommandMeta{CommandID: "2"}}, st.now)
	require.True(t, d.Answer.Accepted)
	require.Equal(t, DestroyFailed, st.s.Status)
	require.Equal(t, fault.NotFound, st.s.Step("a").Error.Code)
	require.Equal(t, "one", st.s.Step("a").StateHash)
}

func TestARunnerGoneWildDoesNotFillTheJournal(t *testing.T) {
	n := node("a")
	st := newStage(t, n)
	st.create("1", event.Create{}, n)
	ref := st.ref("a")
	st.finish("a", nil)
	for i := range 3 * maxRefusals {
		st.save(ref, "r/1", i+10, "x")
	}
	require.Equal(t, maxRefusals, st.s.Operation.Refusals)
}
