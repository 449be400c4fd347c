package environment

import (
	"slices"
	"time"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// redeploy begins an update to what is wanted already, in which groups are applied whatever they would be given.
func (c *decision) redeploy(in RedeployInput) *fault.Error {
	switch {
	case !c.s.Exists():
		return c.notThere()
	case c.s.Busy():
		return c.inTheWay()
	}
	if err := c.s.grouped(in.Groups); err != nil {
		return err
	}
	switch {
	case c.s.Status != Deployed:
		return fault.New(fault.Reject, fault.Conflict, "environment %q is %s: groups are deployed again in one that is deployed; retry it first", c.s.Name, c.s.Status)
	case c.s.partly():
		return fault.New(fault.Reject, fault.Conflict, "%s of environment %q is down: update it first, which makes that again", some(c.s.downGroups()), c.s.Name)
	}
	if err := c.undivided("deployed again"); err != nil {
		return err
	}
	c.emit(Redeploying{CommandID: in.CommandID, RequestedBy: in.RequestedBy, Operation: c.nextOperation(), Groups: in.Groups, Steps: c.s.redeployed(in.Groups),
		FailFast: in.FailFast, Parallelism: c.parallelism(c.s.Operation.Parallelism, in.Parallelism), Epoch: c.Epoch})
	c.emit(StatusDeploying{Operation: c.s.Operation.ID})
	return nil
}

// undivided says that groups can't be changed alone where changes are to be approved, nil when they can.
func (c *decision) undivided(done string) *fault.Error {
	if slices.ContainsFunc(c.s.Approvals, func(a Approval) bool { return a.about(ForUpdate) }) {
		return fault.New(fault.Reject, fault.NotApproved, "what changes in environment %q has to be approved, and a plan can't show a part, so no group can be %s alone", c.s.Name, done)
	}
	return nil
}

// redeployed are the steps of groups that are applied again, and of what depends on them.
func (s *State) redeployed(groups []string) (steps []string) {
	included := make([]bool, len(s.Nodes))
	for i, n := range s.Nodes {
		if n.Type == StatusNode || (n.Type == ActionNode && !n.RunsOn(OnUpdate)) {
			continue
		}
		included[i] = slices.Contains(groups, n.Group) || slices.ContainsFunc(n.depends, func(d int) bool { return included[d] })
		if included[i] {
			steps = append(steps, n.Address)
		}
	}
	return steps
}

func (s *State) redeploying(b Redeploying, at time.Time) {
	s.Status, s.Epoch, s.Error = Deploying, b.Epoch, nil
	s.begin(Operation{Kind: UpdateOperation, CommandID: b.CommandID, RequestedBy: b.RequestedBy, Groups: b.Groups, FailFast: b.FailFast,
		Parallelism: b.Parallelism, StartedAt: at}, event.EnvironmentRedeploy)
	steps := set(b.Steps)
	for i, n := range s.Nodes {
		if !steps[n.Address] {
			s.leaveOut(i)
			continue
		}
		n.Stale, n.Due = true, n.Due || slices.Contains(b.Groups, n.Group)
		s.renew(i)
	}
	s.release()
}
