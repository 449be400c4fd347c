package environment

import (
	"slices"
	"time"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// harmless are the commands that are taken while an environment is locked: they change nothing in it, or stop what does.
func harmless(command string) bool {
	return slices.Contains([]string{event.EnvironmentSchedule, event.EnvironmentCancel, event.EnvironmentPause, event.EnvironmentResume,
		event.EnvironmentCheck, event.EnvironmentPlan, event.EnvironmentLock, event.EnvironmentUnlock, event.EnvironmentSettle,
		event.OperationReject}, command)
}

func (c *decision) lock(in LockInput) *fault.Error {
	switch {
	case !c.s.Remains():
		return c.notThere()
	case c.s.Lock != nil:
		return c.s.locked()
	}
	c.emit(Locked{CommandID: in.CommandID, RequestedBy: in.RequestedBy, Reason: in.Reason})
	return nil
}

func (c *decision) unlock(in UnlockInput) *fault.Error {
	switch {
	case c.s.Lock != nil:
		c.emit(Unlocked{CommandID: in.CommandID, RequestedBy: in.RequestedBy})
		return nil
	case !c.s.Exists():
		return c.notThere()
	}
	return fault.New(fault.Reject, fault.Conflict, "environment %q is not locked", c.s.Name)
}

// locked says who has locked the environment, nil when nobody has.
func (s *State) locked() *fault.Error {
	if s.Lock == nil {
		return nil
	}
	by, reason := s.Lock.By, s.Lock.Reason
	if by == "" {
		by = "somebody"
	}
	if reason == "" {
		reason = "no reason was given"
	}
	return fault.New(fault.Reject, fault.Locked, "environment %q was locked by %s at %s (%s): unlock it first",
		s.Name, by, s.Lock.At.UTC().Format(time.RFC3339), reason)
}

// protected says which of the resources that are there may not be destroyed, of those that would be; nil when all may.
func (s *State) protected(destroyed func(*Step) bool) *fault.Error {
	var names []string
	for _, n := range s.real() {
		if n.Exists && n.Type == ResourceNode && n.PreventDestroy && destroyed(n) {
			names = append(names, n.Address)
		}
	}
	if names == nil {
		return nil
	}
	return fault.New(fault.Reject, fault.Protected, "%s may not be destroyed (prevent_destroy): to destroy it all the same, take that out of "+
		"its template and update environment %q before", some(names), s.Name)
}

// spared says that a change would destroy what may not be destroyed, nil when it would not.
func (n *Step) spared(d fault.Disposition, change event.Change) *fault.Error {
	if !n.PreventDestroy || !destructive(change) {
		return nil
	}
	return fault.New(d, fault.Protected, "%s may not be destroyed (prevent_destroy), and this would %s it", n.Address, change)
}

// undestroyable says why the environment can't be destroyed as it stands, nil when it can.
func (s *State) undestroyable() *fault.Error {
	if err := s.locked(); err != nil {
		return err
	}
	return s.protected(func(*Step) bool { return true })
}

// keeps says which protected resources a graph of these nodes would do away with.
func (s *State) keeps(nodes []Node) *fault.Error {
	stays := identities(nodes)
	return s.protected(func(n *Step) bool { return !stays[n.ID()] })
}
