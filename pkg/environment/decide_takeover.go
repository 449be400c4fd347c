package environment

import (
	"fmt"
	"slices"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Uncertain is the code of a step of which it can't be told whether it was done.
const Uncertain fault.Code = "uncertain"

// takeover is what comes before everything else under an epoch that is new to the environment: all that was in flight
// under the one before may have been done or not. Nothing of it is run again before that is known.
func (c *decision) takeover() {
	if !c.s.Busy() || c.s.Epoch >= c.Epoch {
		return
	}
	o := c.s.Operation
	flight := slices.Clone(o.Flight)
	c.emit(TakenOver{Operation: o.ID, Epoch: c.Epoch})
	for _, i := range flight {
		if n := c.s.Nodes[i]; n.acts() && !n.Looking {
			c.doubt(i)
		} else {
			c.lose(i, CauseLost, fault.New(fault.Retry, fault.RunnerLost, "the side that it ran on is lost")) // looking again harms nothing
		}
	}
}

// acts tells whether the step's verb changes something.
func (n *Step) acts() bool { return n.Verb == event.Apply || n.Verb == event.Destruct }

// idles tells whether a step is left alone: in a drill, all are that are in no doubt.
func (c *decision) idles(n *Step) bool { return c.OnlyLooks && n.Doubt == nil }

func (c *decision) doubt(i int) {
	n := c.s.Nodes[i]
	c.emit(StepDoubted{Operation: c.s.Operation.ID, Step: n.Address, Verb: n.Verb, Attempt: n.Attempt, Runner: n.Runner})
	if c.s.Operation.Status == OperationCancelling {
		c.fail(i, n.Runner, fault.New(fault.GiveUp, Uncertain, "it was in flight when its side was lost, and the operation is cancelled: whether it was done is looked at before it is run again"))
	}
}

// clarify is an offer of a step that is in doubt: a look at the resource. True: it was seen to, and nothing else is to be
// offered. An action leaves nothing to look at.
func (c *decision) clarify(i int) bool {
	n := c.s.Nodes[i]
	switch {
	case n.Doubt == nil || !n.acts() || (n.Verb == event.Destruct && n.Retain):
		return false // what is retained stays as it is, whatever that is
	case n.Type == ResourceNode:
		c.lookAt(i)
		return true
	case n.Idempotent:
		c.emit(StepSettled{Operation: c.s.Operation.ID, Step: n.Address, Verdict: event.Again})
		return false
	}
	c.undecided(i, nil, "it was in flight when its side was lost, and an action leaves nothing that could be looked at")
	return true
}

func (c *decision) lookAt(i int) {
	n := c.s.Nodes[i]
	if n.StateHash != "" && c.State != nil {
		if err := c.State(n.ID(), n.StateHash); err != nil {
			c.fail(i, "", fault.From(err))
			return
		}
	}
	c.emit(StepWaiting{Operation: c.s.Operation.ID, Step: n.Address, Verb: event.Observe, Attempt: n.Attempt + 1, AcceptBefore: c.now.Add(c.AcceptWithin)})
}

// looked decides on what a look at a step in doubt has found.
func (c *decision) looked(i int, in ResultInput) {
	n := c.s.Nodes[i]
	found := event.Observation{Presence: event.PresenceUnknown}
	if in.Observation != nil {
		found = *in.Observation
	}
	switch verdict, detail := n.judge(found); {
	case verdict == event.Done:
		c.emit(StepSettled{Operation: in.Operation, Step: in.Step, Verdict: verdict, Found: &found})
		c.emit(StepComplete{Operation: in.Operation, Step: in.Step, Attempt: in.Attempt, Runner: in.Runner,
			StartedAt: in.StartedAt, FinishedAt: in.FinishedAt, Outputs: n.Outputs})
	case verdict == event.Again:
		c.emit(StepSettled{Operation: in.Operation, Step: in.Step, Verdict: verdict, Found: &found})
		if c.s.Operation.Status == OperationCancelling {
			c.emit(StepSkipped{Operation: in.Operation, Step: in.Step})
		}
	default:
		c.undecided(i, &found, detail)
	}
}

// judge says what a look tells of a step in doubt; "" when only a person can tell.
func (n *Step) judge(found event.Observation) (event.Verdict, string) {
	switch {
	case n.Verb == event.Destruct && found.Presence == event.Absent && (n.Idempotent || n.Doubt.Verb == event.Destruct):
		return event.Done, ""
	case n.Doubt.Verb == event.Destruct:
		return event.Again, "" // destroying makes nothing, so nothing is made twice
	case !n.Idempotent && found.Presence == event.PresenceUnknown:
		return "", "a look can't tell whether it is there"
	case !n.Idempotent:
		return "", fmt.Sprintf("%s knows of what its last saved state tells (%s), and of nothing that was made after that", n.Executor, found.Presence)
	case n.Verb == event.Apply && found.Presence == event.Present && !found.Drifted && n.Offered != "" && n.Offered == n.Applied && n.Doubt.Operation == n.Operation:
		return event.Done, "" // it was to become what it was, and still is
	}
	return event.Again, "" // it takes over what it finds, and its outputs are told
}

func (c *decision) undecided(i int, found *event.Observation, detail string) {
	n := c.s.Nodes[i]
	if c.s.Operation.Status == OperationCancelling {
		n.Looking = false
		c.fail(i, n.Runner, fault.New(fault.GiveUp, Uncertain, "%s", detail))
		return
	}
	c.emit(StepUncertain{Operation: c.s.Operation.ID, Step: n.Address, Detail: detail, Found: found})
}

// settle takes a person's word for what became of a step.
func (c *decision) settle(in SettleInput) *fault.Error {
	if err := c.underWay(); err != nil {
		return err
	}
	n := c.s.Step(in.Step)
	switch {
	case n == nil:
		return fault.New(fault.Reject, fault.NotFound, "environment %q has no step %q", c.s.Name, in.Step)
	case n.State != StateUncertain && n.Doubt != nil:
		return fault.New(fault.Reject, fault.Conflict, "%s is %s: it is being looked at, and may need nobody", n.Address, n.State)
	case n.State != StateUncertain:
		return fault.New(fault.Reject, fault.Conflict, "nothing is uncertain about %s, which is %s", n.Address, n.State)
	}
	operation := c.s.Operation.ID
	c.emit(StepSettled{CommandID: in.CommandID, RequestedBy: in.RequestedBy, Operation: operation, Step: n.Address, Verdict: in.Verdict})
	if in.Verdict == event.Done {
		c.emit(StepComplete{Operation: operation, Step: n.Address, Attempt: n.Attempt, Runner: n.Runner, StartedAt: c.now, FinishedAt: c.now, Outputs: in.outputs(n)})
	}
	return nil
}
