package environment

import (
	"encoding/json"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/vivarium-env/vivarium/pkg/event"
)

// enqueue sends what begins later, or drops it.
func (w *world) enqueue() {
	if !w.state.Busy() || !w.state.Exists() || w.state.Lock != nil {
		return
	}
	m, before, operation := w.meta(), w.state.Queued, w.state.Operation.ID
	var answer *event.Answer
	switch rapid.IntRange(0, 2).Draw(w.t, "queues") {
	case 0:
		answer = w.decide(UpdateInput{CommandMeta: m, Update: event.Update{Heal: rapid.Bool().Draw(w.t, "heal"), WhenBusy: event.QueueWhenBusy}})
	case 1:
		answer = w.decide(DestroyInput{CommandMeta: m, Destroy: event.Destroy{Force: rapid.Bool().Draw(w.t, "force"), WhenBusy: event.QueueWhenBusy}})
	default:
		answer = w.decide(CancelInput{CommandMeta: m, Cancel: event.Cancel{Queued: true}})
		require.Equal(w.t, before != nil, answer.Accepted)
		require.Nil(w.t, w.state.Queued)
		return
	}
	require.True(w.t, answer.Accepted && answer.Queued && answer.Operation == "", "%+v", answer)
	require.Equal(w.t, m.CommandID, w.state.Queued.CommandID)
	require.Equal(w.t, operation, w.state.Operation.ID, "it has to wait")
	if before != nil {
		require.NotNil(w.t, w.state.outcome(before.CommandID).Error, "what was replaced is rejected")
	}
}

// beginQueued does what the orchestrator does once nothing is under way.
func (w *world) beginQueued() {
	q := w.state.Queued
	if q == nil || w.state.Busy() {
		return
	}
	m := CommandMeta{CommandID: q.CommandID, RequestedBy: q.RequestedBy}
	if q.Command == event.EnvironmentDestroy {
		in := DestroyInput{CommandMeta: m}
		require.NoError(w.t, json.Unmarshal(q.Data, &in.Destroy))
		w.begun(w.decide(BeginInput{in}), m)
		return
	}
	in := UpdateInput{CommandMeta: m}
	require.NoError(w.t, json.Unmarshal(q.Data, &in.Update))
	before := w.plan
	if w.state.Exists() && w.state.Status != DestroyFailed {
		in.Nodes, in.Moves = w.move(w.mutate())
		in, _ = w.think(in).(UpdateInput)
	}
	w.origin = nil
	answer := w.takeOver(BeginInput{in})
	w.begun(answer, m)
	if !answer.Accepted {
		w.plan = before
	} else if w.state.Operation.Kind != UpdateOperation {
		w.plan = before // it waits for approval
	} else if !w.planner.byPlan {
		w.revised(in.Nodes)
	}
}

// begun: whatever came of it, it waits no more, and its outcome is the one that its sender gets from now on.
func (w *world) begun(answer *event.Answer, m CommandMeta) {
	require.NotNil(w.t, answer)
	require.Nil(w.t, w.state.Queued)
	known := w.state.outcome(m.CommandID)
	require.Equal(w.t, answer.Accepted, known.Error == nil)
	require.Equal(w.t, answer.Accepted, known.Operation != "")
	require.False(w.t, answer.Duplicate)
}
