package environment

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// lost is an environment of one node whose only step is in flight under epoch 1, and the decider of epoch 2.
func lost(t *testing.T, n Node) (*Decider, *State, Surroundings, event.TaskRef) {
	t.Helper()
	n.Address = "t.x.a"
	around := Surroundings{Resolver: echo{nodes: map[string]Node{n.Address: n}}}
	s, now := NewState("e"), time.Unix(1000, 0)
	NewDecider(Policy{Epoch: 1}).Decide(s, around, CreateInput{CommandMeta: CommandMeta{CommandID: "c"}, Resolved: Resolved{Nodes: []Node{n}}}, now)
	ref := event.TaskRef{Environment: "e", Operation: "op-1", Step: n.Address, Attempt: 1, Epoch: 1}
	NewDecider(Policy{Epoch: 1}).Decide(s, around, AcceptedInput{event.Accepted{TaskRef: ref, Runner: "r/1", StartedAt: now}}, now)
	require.Equal(t, StateRunning, s.Nodes[0].State)
	return NewDecider(Policy{Epoch: 2}), s, around, ref
}

func types(facts []Fact) (list []string) {
	for _, f := range facts {
		list = append(list, f.Body.Type())
	}
	return list
}

func TestAStepThatWasInFlightIsLookedAtBeforeItIsRunAgain(t *testing.T) {
	d, s, around, old := lost(t, Node{Type: ResourceNode, Executor: "x", Idempotent: true})
	now := time.Unix(2000, 0)
	out := d.Decide(s, around, TickInput{}, now)
	require.Equal(t, []string{"operation.taken-over", "step.doubted", "step.waiting"}, types(out.Facts))
	require.Equal(t, event.Observe, out.Facts[2].Body.(StepWaiting).Verb)
	require.Equal(t, &Doubt{Operation: "op-1", Verb: event.Apply, Attempt: 1, Runner: "r/1", Since: now}, s.Nodes[0].Doubt)

	out = d.Decide(s, around, ResultInput{event.Result{TaskRef: old, Runner: "r/1", FinishedAt: now}}, now)
	require.Equal(t, []string{"result.refused"}, types(out.Facts), "what the lost side says is too late")

	look := event.TaskRef{Environment: "e", Operation: "op-1", Step: "t.x.a", Attempt: 2, Epoch: 2}
	out = d.Decide(s, around, ResultInput{event.Result{TaskRef: look, Runner: "r/2", Observation: &event.Observation{Presence: event.Absent}}}, now)
	require.Equal(t, []string{"step.settled", "step.waiting"}, types(out.Facts))
	require.Equal(t, event.Apply, out.Facts[1].Body.(StepWaiting).Verb)
	require.Nil(t, s.Nodes[0].Doubt)
}

func TestWhatOnlyAPersonCanTellWaitsForOne(t *testing.T) {
	for name, n := range map[string]Node{"an action": {Type: ActionNode, Executor: "action"}, "a kind that does not take over": {Type: ResourceNode, Executor: "terraform"}} {
		t.Run(name, func(t *testing.T) {
			d, s, around, _ := lost(t, n)
			now := time.Unix(2000, 0)
			d.Decide(s, around, TickInput{}, now)
			if n.Type == ResourceNode {
				require.Equal(t, StateWaiting, s.Nodes[0].State, "what can be seen is shown to the person")
				look := event.TaskRef{Environment: "e", Operation: "op-1", Step: "t.x.a", Attempt: 2, Epoch: 2}
				d.Decide(s, around, ResultInput{event.Result{TaskRef: look, Runner: "r/2", Observation: &event.Observation{Presence: event.Present}}}, now)
				require.Equal(t, event.Present, s.Nodes[0].Doubt.Found.Presence)
			}
			require.Equal(t, StateUncertain, s.Nodes[0].State)
			require.Equal(t, BecauseUncertain, s.reason(s.Nodes[0]).Code)
			d.Decide(s, around, TickInput{}, now.Add(time.Hour))
			require.True(t, s.Busy(), "it waits")

			wrong := d.Decide(s, around, SettleInput{CommandMeta{CommandID: "s1"}, event.Settle{Step: "t.x.b", Verdict: event.Done}}, now)
			require.Equal(t, fault.NotFound, wrong.Answer.Error.Code)
			in := SettleInput{CommandMeta{CommandID: "s2"}, event.Settle{Step: "t.x.a", Verdict: event.Done, Outputs: json.RawMessage(`{"id":1}`)}}
			require.True(t, d.Decide(s, around, in, now).Answer.Accepted)
			require.Equal(t, Deployed, s.Status)
			require.JSONEq(t, `{"id":1}`, string(s.Nodes[0].Outputs))
			require.True(t, d.Decide(s, around, in, now).Answer.Duplicate)
			in.CommandID = "s3"
			require.Equal(t, fault.Conflict, d.Decide(s, around, in, now).Answer.Error.Code)
		})
	}
}

func TestAnActionThatMayRunAgainDoes(t *testing.T) {
	d, s, around, _ := lost(t, Node{Type: ActionNode, Executor: "action", Idempotent: true})
	out := d.Decide(s, around, TickInput{}, time.Unix(2000, 0))
	require.Equal(t, []string{"operation.taken-over", "step.doubted", "step.settled", "step.waiting"}, types(out.Facts))
}

func TestNothingIsOfferedWhileTheOtherSideMayStillAct(t *testing.T) {
	d, s, around, _ := lost(t, Node{Type: ActionNode, Executor: "action", Idempotent: true})
	around.Hold = &Reason{Code: BecauseTakeover, Detail: "soon"}
	d.Decide(s, around, TickInput{}, time.Unix(2000, 0))
	require.Equal(t, StateQueued, s.Nodes[0].State)
	require.Equal(t, BecauseTakeover, s.reason(s.Nodes[0]).Code)
	around.Hold = nil
	d.Decide(s, around, TickInput{}, time.Unix(2010, 0))
	require.Equal(t, StateWaiting, s.Nodes[0].State)
}

func TestADoubtOutlivesACancelledOperation(t *testing.T) {
	d, s, around, _ := lost(t, Node{Type: ActionNode, Executor: "action"})
	now := time.Unix(2000, 0)
	d.Decide(s, around, TickInput{}, now)
	d.Decide(s, around, CancelInput{CommandMeta: CommandMeta{CommandID: "x"}}, now)
	require.False(t, s.Busy())
	require.NotNil(t, s.Nodes[0].Doubt)
	d.Decide(s, around, RetryInput{CommandMeta: CommandMeta{CommandID: "y"}}, now)
	require.Equal(t, StateUncertain, s.Nodes[0].State, "it is not run again for being retried")
}

// Found by the simulation: what an earlier operation was to make it says nothing of what a later one is to.
func TestWhatWasLeftByAnEarlierOperationIsNotDone(t *testing.T) {
	n := Step{Node: Node{Type: ResourceNode, Idempotent: true}, Verb: event.Apply, Operation: "op-2", Offered: "a", Applied: "a",
		Doubt: &Doubt{Operation: "op-2", Verb: event.Apply}}
	verdict, _ := n.judge(event.Observation{Presence: event.Present})
	require.Equal(t, event.Done, verdict)
	n.Doubt = &Doubt{Operation: "op-1", Verb: event.Apply}
	verdict, _ = n.judge(event.Observation{Presence: event.Present})
	require.Equal(t, event.Again, verdict)
}

// TestADrillLooksAndDoesNothingElse: neither what is settled by a look is begun, nor what was still to come.
func TestADrillLooksAndDoesNothingElse(t *testing.T) {
	now, look := time.Unix(2000, 0), event.TaskRef{Environment: "e", Operation: "op-1", Step: "t.x.a", Attempt: 2, Epoch: 2}
	_, s, around, _ := lost(t, Node{Type: ResourceNode, Executor: "x", Idempotent: true})
	d := NewDecider(Policy{Epoch: 2, OnlyLooks: true})
	require.Equal(t, []string{"operation.taken-over", "step.doubted", "step.waiting"}, types(d.Decide(s, around, TickInput{}, now).Facts))
	out := d.Decide(s, around, ResultInput{event.Result{TaskRef: look, Runner: "r/2", Observation: &event.Observation{Presence: event.Absent}}}, now)
	require.Equal(t, []string{"step.settled"}, types(out.Facts))
	require.Empty(t, d.Decide(s, around, TickInput{}, now.Add(time.Hour)).Facts)

	_, s, around, _ = lost(t, Node{Type: ActionNode, Executor: "action", Idempotent: true})
	require.Equal(t, []string{"operation.taken-over", "step.doubted", "step.settled"}, types(d.Decide(s, around, TickInput{}, now).Facts))
	require.Equal(t, StateQueued, s.Nodes[0].State)
}

// Found by the simulation: nobody is at work on an action that was in doubt, and is not for the making of the environment any more.
func TestAnActionInDoubtThatIsForOtherOccasionsNow(t *testing.T) {
	d, s, around, _ := lost(t, Node{Type: ActionNode, Executor: "action"})
	now := time.Unix(2000, 0)
	d.Decide(s, around, TickInput{}, now)
	d.Decide(s, around, CancelInput{CommandMeta: CommandMeta{CommandID: "x"}}, now)
	n := s.Nodes[0].Node
	n.RunOn = []Occasion{OnDemand}
	d.Decide(s, around, UpdateInput{CommandMeta: CommandMeta{CommandID: "y"}, Resolved: Resolved{Nodes: []Node{n}}}, now)
	require.Equal(t, Idle, s.Nodes[0].Status, "and not as if it were being applied")
}
