package environment

import (
	"time"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

func (c *decision) schedule(in ScheduleInput) *fault.Error {
	if !c.s.Remains() {
		return c.notThere()
	}
	at, err := c.lastDay(in.Schedule)
	if err != nil {
		return err
	}
	hours := c.s.hours()
	c.emit(Scheduled{CommandID: in.CommandID, RequestedBy: in.RequestedBy, DestroyAt: at, Standing: Standing{Hours: in.Hours, Drift: in.Drift}})
	if c.s.hours() != hours {
		c.appoint()
	}
	return nil
}

// lastDay is when the environment is to be destroyed for good, as a command says it; it was looked at when it was read.
func (c *decision) lastDay(in event.Schedule) (*time.Time, *fault.Error) {
	at := in.DestroyAt
	switch {
	case in.Lifetime != "":
		return Lifetime(in.Lifetime, c.now), nil
	case in.Extend != "":
		if c.s.DestroyAt == nil {
			return nil, fault.New(fault.Reject, fault.Conflict, "environment %q is not destroyed by itself: there is nothing to extend", c.s.Name)
		}
		by, _ := time.ParseDuration(in.Extend)
		moved := c.s.DestroyAt.Add(by)
		at = &moved
	case at == nil && (in.Hours != nil || in.Drift != nil):
		return c.s.DestroyAt, nil
	}
	if at != nil && at.Before(c.now) {
		return nil, fault.New(fault.Reject, fault.Invalid, "field \"destroy_at\" is in the past (%s): send environment.destroy to destroy it now", at.Format(time.RFC3339))
	}
	return at, nil
}

// firstDay is when a new environment is to be destroyed by itself: as it was said, or as the templates say.
func (c *decision) firstDay(in CreateInput) *time.Time {
	switch {
	case in.DestroyAt != nil:
		return in.DestroyAt
	case in.Create.Lifetime != "":
		return Lifetime(in.Create.Lifetime, c.now)
	}
	return Lifetime(in.Resolved.Lifetime, c.now)
}

// Lifetime is when a lifetime that begins at a time ends; nil: it does not.
func Lifetime(text string, from time.Time) *time.Time {
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return nil
	}
	at := from.Add(d)
	return &at
}

// Imminent tells whether a warning is due, or the destruction itself, of an environment in which nothing is under way.
func (d *Decider) Imminent(s *State, now time.Time) bool {
	if s.plansLapse(now) {
		return true
	}
	if s.Busy() {
		return false
	}
	if s.DestroyAt == nil || !s.Exists() {
		return s.hoursDue(now)
	}
	if !now.Before(*s.DestroyAt) {
		return !s.heldFor(s.undestroyable())
	}
	_, warns := d.policy.warning(s, now)
	return warns || s.hoursDue(now)
}

// heldFor tells whether it was said already that the destruction waits, and why.
func (s *State) heldFor(why *fault.Error) bool {
	if why == nil || s.DestroyHeld == nil || s.DestroyHeld.Code != why.Code {
		return false
	}
	return why.Code != fault.Consumed || s.DestroyHeld.Message == why.Message // the record says who it is
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

// planned does what is to be done by itself: it begins the destruction whose time has come, which is an ordinary one, and is
// not tried again by itself when it fails; or announces it; or keeps to the environment's hours.
func (c *decision) planned() {
	s := c.s
	switch {
	case s.Busy():
	case !s.Exists():
		if s.Down {
			c.comeBack()
		}
	case due(s.DestroyAt, c.now):
		c.lastDayCome()
	case s.hoursDue(c.now):
		c.appointed()
	case s.DestroyAt != nil:
		if before, due := c.Policy.warning(s, c.now); due {
			c.emit(DestructionAhead{DestroyAt: *s.DestroyAt, Warning: before})
		}
	}
}

func (c *decision) lastDayCome() {
	s := c.s
	if c.mustWait(*s.DestroyAt) {
		return
	}
	if taken, _ := c.orderedDestroy(DestroyInput{}, true); taken {
		return
	}
	c.emit(StatusDestroying{Planned: true, Operation: c.nextOperation(), Parallelism: c.parallelism(s.Operation.Parallelism), Epoch: c.Epoch})
}
