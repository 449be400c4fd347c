package environment

import "github.com/vivarium-env/vivarium/pkg/event"

// saved takes a state as it would a result: only from the attempt that is under way, and from the runner that has it, and
// not from one that was only to look.
// Like a heartbeat it keeps the lease, and is an acceptance where that was lost on its way.
func (c *decision) saved(in StateInput) {
	_, n := c.current(in.TaskRef)
	if n == nil || c.s.Operation.Kind.looks() || n.Verb == event.Propose || n.Looking || (n.State == StateRunning && n.Runner != in.Runner) {
		if !c.known(in) {
			c.refuseState(in)
		}
		return
	}
	if n.State == StateWaiting {
		c.accepted(AcceptedInput{event.Accepted{TaskRef: in.TaskRef, Runner: in.Runner, StartedAt: c.now}})
	}
	n.leaseUntil = c.now.Add(c.Lease)
	if in.Number <= n.Saves {
		return // a second copy, which may come behind a newer one
	}
	c.emit(StateSaved{Operation: in.Operation, Step: in.Step, Identity: n.Identity, Attempt: in.Attempt, Runner: in.Runner, Number: in.Number,
		StateRef: in.StateRef, Removed: in.Hash == ""})
}

// known tells whether a state that comes too late is no news: it is the one that is kept, or a copy of one that was
// taken before the attempt ended.
func (c *decision) known(in StateInput) bool {
	n := c.s.Step(in.Step)
	if n == nil || c.s.Operation == nil {
		return false
	}
	taken := c.s.Operation.ID == in.Operation && n.Attempt == in.Attempt && n.Runner == in.Runner && in.Number <= n.Saves
	return taken || in.Hash == n.StateHash
}

// refuseState records that a state was not taken. Something may be there that no state tells of.
func (c *decision) refuseState(in StateInput) {
	if o := c.s.Operation; o != nil && o.Refusals < maxRefusals {
		c.emit(TaskRefused{Operation: in.Operation, Step: in.Step, Attempt: in.Attempt, Runner: in.Runner, Epoch: in.Epoch, State: &in.StateRef})
	}
}
