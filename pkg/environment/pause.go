package environment

import (
	"fmt"
	"slices"
	"time"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// paused says who has paused the group of a node, nil when nobody has.
func (s *State) paused(n *Step) *Pause { return s.GroupPause(n.Group) }

// GroupPause says who has paused a group, nil when nobody has.
func (s *State) GroupPause(group string) *Pause {
	for i := range s.Pauses {
		if s.Pauses[i].Group == group {
			return &s.Pauses[i]
		}
	}
	return nil
}

func (p *Pause) reason() *Reason {
	if p == nil { // paused before it was kept by whom
		return &Reason{Code: BecausePaused, Detail: "the operation is paused: resume it"}
	}
	what := "the operation"
	if p.Group != "" {
		what = fmt.Sprintf("group %q", p.Group)
	}
	return &Reason{Code: BecausePaused, Detail: what + " was " + p.words()}
}

// words are who has paused it and why.
func (p *Pause) words() string {
	by := p.By
	if by == "" {
		by = "somebody"
	}
	if p.Reason == "" {
		return "paused by " + by + ", who gave no reason"
	}
	return "paused by " + by + " because " + p.Reason
}

// grouped says which of these groups the environment does not have, nil when it has all.
func (s *State) grouped(groups []string) *fault.Error {
	for _, g := range groups {
		named := slices.ContainsFunc(s.Groups, func(one Group) bool { return one.Name == g })
		if !named && !slices.ContainsFunc(s.real(), func(n *Step) bool { return n.Group == g && g != "" }) {
			var names []string
			for _, one := range s.Groups {
				names = append(names, one.Name)
			}
			return fault.New(fault.Reject, fault.NotFound, "environment %q has no group %q; it has: %s", s.Name, g, some(names))
		}
	}
	return nil
}

func (c *decision) pauseGroups(in PauseInput) *fault.Error {
	if !c.s.Remains() {
		return c.notThere()
	}
	if err := c.s.grouped(in.Groups); err != nil {
		return err
	}
	for _, g := range in.Groups {
		if p := c.s.GroupPause(g); p != nil {
			return fault.New(fault.Reject, fault.Conflict, "group %q of environment %q is %s (at %s)", g, c.s.Name, p.words(), p.At.UTC().Format(time.RFC3339))
		}
	}
	c.emit(GroupPaused{CommandID: in.CommandID, RequestedBy: in.RequestedBy, Groups: in.Groups, Reason: in.Reason})
	return nil
}

func (c *decision) resumeGroups(in ResumeInput) *fault.Error {
	if !c.s.Remains() {
		return c.notThere()
	}
	for _, g := range in.Groups {
		if c.s.GroupPause(g) == nil {
			return fault.New(fault.Reject, fault.Conflict, "group %q of environment %q is not paused", g, c.s.Name)
		}
	}
	c.emit(GroupResumed{CommandID: in.CommandID, RequestedBy: in.RequestedBy, Groups: in.Groups})
	return nil
}

func (s *State) pauseGroups(b GroupPaused, at time.Time) {
	for _, g := range b.Groups {
		if s.GroupPause(g) == nil { // named twice
			s.Pauses = append(slices.Clip(s.Pauses), Pause{Group: g, Reason: b.Reason, By: b.RequestedBy, At: at})
		}
	}
	s.remember(Outcome{CommandID: b.CommandID, Command: event.EnvironmentPause})
	s.waitsOtherwise(func(n *Step) bool { return slices.Contains(b.Groups, n.Group) })
}

// unpause ends the pauses of groups.
func (s *State) unpause(groups []string) {
	var left []Pause // records that were taken hold the old ones
	for _, p := range s.Pauses {
		if !slices.Contains(groups, p.Group) {
			left = append(left, p)
		}
	}
	s.Pauses = left
}

// resumedBy are the paused groups that a destroy is of, if it is by force: that waits for nobody. Without steps it is of all.
func (s *State) resumedBy(in DestroyInput, steps []string) (groups []string) {
	if !in.Force {
		return nil
	}
	goes := set(steps)
	for _, p := range s.Pauses {
		if steps == nil || slices.ContainsFunc(s.Nodes, func(n *Step) bool { return n.Group == p.Group && goes[n.Address] }) {
			groups = append(groups, p.Group)
		}
	}
	return groups
}

func (s *State) resumeGroups(b GroupResumed) {
	s.unpause(b.Groups)
	s.remember(Outcome{CommandID: b.CommandID, Command: event.EnvironmentResume})
	s.waitsOtherwise(func(n *Step) bool { return slices.Contains(b.Groups, n.Group) })
}

// waitsOtherwise: the reason that is shown for these steps changes. Being paused is no waiting for a runner.
func (s *State) waitsOtherwise(about func(*Step) bool) {
	if !s.Busy() {
		return
	}
	for i, n := range s.Nodes {
		if n.State == StateQueued && s.takesPart(n) && about(n) {
			n.QueuedAt = s.UpdatedAt
			s.touch(i)
		}
	}
}
