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
	if in.executes == nil {
		if taken, err := c.orderedAgain(Order{Redeploy: &in.Redeploy}, PlanInput{CommandMeta: in.CommandMeta, redeploys: in.Groups}); taken {
			return err
		}
	}
	c.emit(Redeploying{CommandID: in.CommandID, RequestedBy: in.RequestedBy, Operation: c.nextOperation(), Groups: in.Groups, Steps: c.s.redeployed(in.Groups), Plan: in.executes.id(),
		FailFast: in.FailFast, Parallelism: c.parallelism(c.s.Operation.Parallelism, in.Parallelism), Epoch: c.Epoch})
	c.emit(StatusDeploying{Operation: c.s.Operation.ID})
	return nil
}

// orderedAgain makes a plan of what leads to what is wanted already first, where an update has to be approved.
func (c *decision) orderedAgain(order Order, in PlanInput) (bool, *fault.Error) {
	if !c.ruled(ForUpdate, order) {
		return false, nil
	}
	s := c.s
	if c.Again == nil {
		return true, fault.New(fault.Reject, fault.Unavailable, "plans can't be carried out here")
	}
	resolved, err := c.Again(KeptPlan{Templates: s.Templates, Parameters: s.Parameters, Given: s.Given})
	if err != nil {
		return true, rejected("it has to be planned first, and can't be: ", err, "")
	}
	in.Resolved, in.order = resolved, &order
	return true, c.plan(in)
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
	s.begin(Operation{Kind: UpdateOperation, CommandID: b.CommandID, RequestedBy: b.RequestedBy, Groups: b.Groups, Executes: s.KeptPlan(b.Plan), Rules: s.Approvals, FailFast: b.FailFast,
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
