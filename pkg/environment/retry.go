package environment

import (
	"slices"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// retryGroups takes up again what failed of some groups. The rest stays as failed as it is.
func (c *decision) retryGroups(in RetryInput) *fault.Error {
	if err := c.s.grouped(in.Groups); err != nil {
		return err
	}
	switch {
	case c.s.Status == DestroyFailed || (c.s.Status == Failed && c.s.partly()):
		return fault.New(fault.Reject, fault.Conflict, "what failed in environment %q is a destroy, which is tried again as a whole: retry it without groups", c.s.Name)
	case c.s.Status != Failed:
		return fault.New(fault.Reject, fault.Conflict, "environment %q is %s: nothing of it failed that could be tried again", c.s.Name, c.s.Status)
	}
	steps, lacking := c.s.retried(in.Groups)
	switch {
	case len(lacking) > 0 && len(steps) == 0:
		return fault.New(fault.Reject, fault.Conflict, "%s can't be tried again alone: it needs %s, which failed or was left out; name the groups of that as well, or retry all", some(in.Groups), some(lacking))
	case len(steps) == 0 && len(c.s.missing()) > 0:
		return fault.New(fault.Reject, fault.Conflict, "nothing of %s in environment %q failed that could be tried again", some(in.Groups), c.s.Name)
	}
	if in.executes == nil {
		if taken, err := c.orderedAgain(Order{Retry: &in.Retry}, PlanInput{CommandMeta: in.CommandMeta, part: append([]string{}, steps...)}); taken {
			return err
		}
	}
	c.emit(StatusRetrying{CommandID: in.CommandID, RequestedBy: in.RequestedBy, Operation: c.nextOperation(), Groups: in.Groups, Steps: steps, Plan: in.executes.id(),
		FailFast: in.FailFast, Parallelism: c.parallelism(c.s.Operation.Parallelism), Epoch: c.Epoch})
	c.emit(StatusDeploying{Operation: c.s.Operation.ID})
	return nil
}

// lacks tells whether a node is to be there, and is not as it should be.
func (n *Step) lacks() bool {
	return (n.made() || n.Stale) && (n.Status != Deployed || n.Stale)
}

// lingers tells whether a node is there that is not wanted any more.
func (n *Step) lingers() bool { return n.Doomed && n.Exists && n.Type == ResourceNode }

// retried are the steps of what is not as it should be in these groups, and of what depends on that, as far as all that they
// need is there or tried again with them. Lacking is what is needed and is neither.
func (s *State) retried(groups []string) (steps, lacking []string) {
	chosen := make([]bool, len(s.Nodes))
	for i, n := range s.Nodes {
		if n.Doomed {
			continue
		}
		follows := slices.ContainsFunc(n.depends, func(d int) bool { return chosen[d] })
		if !(slices.Contains(groups, n.Group) || follows) || !(n.lacks() || (follows && n.Type == ResourceNode)) {
			continue
		}
		chosen[i] = true
		for _, d := range n.depends {
			if s.Nodes[d].lacks() && !chosen[d] {
				chosen[i], lacking = false, append(lacking, s.Nodes[d].Address)
			}
		}
	}
	s.retriedRemovals(groups, chosen)
	for i, n := range s.Nodes {
		if chosen[i] {
			steps = append(steps, n.Address)
		}
	}
	slices.Sort(lacking)
	return steps, slices.Compact(lacking)
}

// retriedRemovals adds what is to be gone of the groups, as far as nothing stands on it that takes no part.
func (s *State) retriedRemovals(groups []string, chosen []bool) {
	for i, n := range s.Nodes {
		chosen[i] = chosen[i] || (n.lingers() && slices.Contains(groups, n.Group))
	}
	goes := func(d int) bool { return chosen[d] && s.Nodes[d].Doomed }
	for i, n := range s.Nodes {
		chosen[i] = chosen[i] || (s.parts(n) && slices.ContainsFunc(joined(n.stands, n.partsFrom), goes)) // an action goes with what it is of
	}
	for again := true; again; {
		again = false
		for i, n := range s.Nodes {
			held := func(d int) bool {
				return !chosen[d] && (s.Nodes[d].lingers() || s.parts(s.Nodes[d]) || (s.Nodes[d].Exists && !s.Nodes[d].Doomed))
			}
			idle := n.Type == ActionNode && !slices.ContainsFunc(joined(n.stands, n.partsFrom), goes)
			if chosen[i] && n.Doomed && (idle || slices.ContainsFunc(joined(n.standers, n.parters), held)) {
				chosen[i], again = false, true
			}
		}
	}
}

// retryingPart makes steps of what is tried again alone.
func (s *State) retryingPart(steps []string) {
	chosen := set(steps)
	for i, n := range s.Nodes {
		switch {
		case !chosen[n.Address]:
			s.leaveOut(i)
		case n.Doomed:
			s.doom(i)
		default:
			n.Stale = n.Stale || n.Status == Deployed
			s.renew(i)
		}
	}
	s.release()
}

// missing are the nodes that keep the environment from being what it is to be.
func (s *State) missing() (list []string) {
	for _, n := range s.Nodes {
		if n.lingers() || (!n.Doomed && n.lacks()) {
			list = append(list, n.Address)
		}
	}
	return list
}

// missingAfter is what an operation of groups alone leaves undone that was not its own; nil of all others.
func (s *State) missingAfter(o *Operation) []string {
	if o.Groups == nil {
		return nil
	}
	return s.missing()
}

func stillMissing(list []string) *fault.Error {
	return fault.New(fault.GiveUp, fault.Conflict, "what was to be tried again is done, but not all is as it should be: %s; retry that as well", some(list))
}
