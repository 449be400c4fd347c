package environment

import (
	"time"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

func (c *decision) schedule(in ScheduleInput) *fault.Error {
	if !c.s.Exists() {
		return c.notThere()
	}
	if in.DestroyAt != nil && in.DestroyAt.Before(c.now) {
		return fault.New(fault.Reject, fault.Invalid, "field \"destroy_at\" is in the past (%s): send environment.destroy to destroy it now", in.DestroyAt.Format(time.RFC3339))
	}
	c.emit(Scheduled{CommandID: in.CommandID, RequestedBy: in.RequestedBy, DestroyAt: in.DestroyAt})
	return nil
}

// Imminent tells whether a warning is due, or the destruction itself, of an environment in which nothing is under way.
func (d *Decider) Imminent(s *State, now time.Time) bool {
	if s.plansLapse(now) {
		return true
	}
	if s.DestroyAt == nil || !s.Exists() || s.Busy() {
		return false
	}
	if !now.Before(*s.DestroyAt) {
		return !s.heldFor(s.undestroyable())
	}
	_, due := d.policy.warning(s, now)
	return due
}

// heldFor tells whether it was said already that the destruction waits, and why.
func (s *State) heldFor(why *fault.Error) bool {
	return why != nil && s.DestroyHeld != nil && s.DestroyHeld.Code == why.Code
}

// planDestruction settles when the environment is destroyed by itself; nil: it is not.
func (s *State) planDestruction(at *time.Time) { s.DestroyAt, s.Warned, s.DestroyHeld = at, 0, nil }

// warning is the most urgent one that is due and was not given. One that was missed, since the server was away or the time
// was set at short notice, is not made up for once a more urgent one is due.
func (p Policy) warning(s *State, now time.Time) (time.Duration, bool) {
	var least time.Duration
	for _, before := range p.Warnings {
		if !now.Before(s.DestroyAt.Add(-before)) && (least == 0 || before < least) {
			least = before
		}
	}
	return least, least > 0 && (s.Warned == 0 || least < s.Warned)
}

// planned begins the destruction whose time has come, or announces it. It is an ordinary destroy; when it fails, what is
// left is for people to see to, and is not tried again by itself.
func (c *decision) planned() {
	s := c.s
	if s.DestroyAt == nil || !s.Exists() || s.Busy() {
		return
	}
	if !c.now.Before(*s.DestroyAt) {
		if why := s.undestroyable(); why != nil {
			if !s.heldFor(why) {
				c.emit(DestructionHeld{DestroyAt: *s.DestroyAt, Error: why})
			}
			return
		}
		c.emit(StatusDestroying{Planned: true, Operation: c.nextOperation(), Parallelism: c.parallelism(s.Operation.Parallelism), Epoch: c.Epoch})
		return
	}
	if before, due := c.Policy.warning(s, c.now); due {
		c.emit(DestructionAhead{DestroyAt: *s.DestroyAt, Warning: before})
	}
}
