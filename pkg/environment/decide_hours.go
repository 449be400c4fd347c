package environment

import (
	"time"

	"github.com/vivarium-env/vivarium/pkg/calendar"
	"github.com/vivarium-env/vivarium/pkg/event"
)

// appoint settles when the environment's hours come next.
func (c *decision) appoint() {
	next := c.appointments()
	if !next.equal(c.s.Next) {
		c.emit(Appointed{next})
	}
}

func (c *decision) appointments() Appointments {
	h := c.s.hours()
	next := func(expression string) *time.Time {
		if expression == "" {
			return nil
		}
		at, err := calendar.Next(expression, h.Timezone, c.now)
		if err != nil {
			return nil // it was looked at when it was taken; there is no such day any more
		}
		return &at
	}
	return Appointments{Up: next(h.Up), Down: next(h.Down), Check: next(h.Check)}
}

// wantedDown tells whether the environment should be down, by the latest of the times that have come: those that a server
// which was away has missed count once, and only the last of them.
func (s *State) wantedDown(now time.Time) bool {
	h, next := s.hours(), s.Next
	switch {
	case !due(next.Down, now):
		return false
	case !due(next.Up, now):
		return true
	}
	return calendar.Last(h.Down, h.Timezone, *next.Down, now).After(calendar.Last(h.Up, h.Timezone, *next.Up, now))
}

// appointed does what the hours of an environment that is there ask for.
func (c *decision) appointed() {
	s := c.s
	switch {
	case s.wantedDown(c.now):
		if c.mustWait(*s.Next.Down) {
			return
		}
		if s.hours().Up == "" { // it would not come back
			if taken, _ := c.orderedDestroy(DestroyInput{}, true); taken {
				c.appoint()
				return
			}
		}
		c.emit(StatusDestroying{Planned: true, Hours: s.hours().Up != "", Operation: c.nextOperation(),
			Parallelism: c.parallelism(s.Operation.Parallelism), Epoch: c.Epoch})
	case due(s.Next.Check, c.now) && (s.Status == Deployed || s.Status == Failed):
		c.emit(StatusChecking{Planned: true, Operation: c.nextOperation(), Parallelism: c.parallelism(s.Operation.Parallelism), Epoch: c.Epoch})
	}
	c.appoint()
}

// comeBack makes an environment again that its hours have taken down, of the templates and parameters that it had; or lets
// it be when its last day has come meanwhile.
func (c *decision) comeBack() {
	s := c.s
	switch {
	case due(s.DestroyAt, c.now):
		c.emit(Appointed{})
	case s.Lock != nil || !due(s.Next.Up, c.now):
	case s.wantedDown(c.now):
		c.appoint()
	default:
		c.emit(s.again(c.nextOperation(), c.parallelism(s.Operation.Parallelism), c.Epoch))
		c.emit(StatusDeploying{Operation: s.Operation.ID})
		c.appoint()
	}
}

func (s *State) again(operation string, parallelism int, epoch uint64) Created {
	b := Created{Planned: true, Operation: operation, Description: s.Description, Tags: s.Tags, Templates: s.Templates,
		Parameters: s.Parameters, Given: s.Given, Groups: s.Groups, DestroyAt: s.DestroyAt, Standing: s.TemplateStanding, Sources: s.Sources,
		Parallelism: parallelism, Epoch: epoch}
	for _, n := range s.Nodes {
		if !n.Doomed {
			b.Nodes = append(b.Nodes, n.Node)
		}
	}
	return b
}

// hoursDue tells whether the hours ask for something that was not said to have to wait.
func (s *State) hoursDue(now time.Time) bool {
	if !s.Exists() {
		return s.Down && (due(s.DestroyAt, now) || (s.Lock == nil && due(s.Next.Up, now)))
	}
	if s.wantedDown(now) {
		return !s.heldFor(s.undestroyable())
	}
	return due(s.Next.Down, now) || due(s.Next.Up, now) || due(s.Next.Check, now)
}

// scheduled is what a command settles, over what was settled before.
func (s *State) scheduled(b Scheduled) {
	if !sameTime(s.DestroyAt, b.DestroyAt) {
		s.planDestruction(b.DestroyAt)
	}
	s.OwnStanding = s.OwnStanding.over(b.Standing)
	s.remember(Outcome{CommandID: b.CommandID, Command: event.EnvironmentSchedule})
}
