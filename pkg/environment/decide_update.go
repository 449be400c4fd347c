package environment

import (
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

func (c *decision) update(in UpdateInput) *fault.Error {
	switch {
	case !c.s.Exists():
		return c.notThere()
	case c.s.Busy():
		return c.whenBusy(in.WhenBusy, event.EnvironmentUpdate, in.CommandMeta, in.Update)
	case c.s.Status == DestroyFailed:
		return fault.New(fault.Reject, fault.Conflict, "environment %q was to be destroyed, and something of it is left: destroy it, then create it anew", c.s.Name)
	}
	in.WhenBusy = ""
	nodes, moved := c.s.follow(in.Nodes, in.Moves)
	if err := c.s.keeps(nodes); err != nil {
		return err
	}
	partings, wrong := c.partings(nodes)
	if wrong != nil {
		return rejected("", wrong, "")
	}
	if err := used("updated to that", c.s.Name, c.losses(in.Resolved)); err != nil && !in.DespiteConsumers {
		return err
	}
	if taken, err := c.orderedUpdate(in); taken {
		return err
	}
	at := in.DestroyAt
	if in.Update.Lifetime != "" {
		at = Lifetime(in.Update.Lifetime, c.now)
	}
	hours := c.s.hours()
	c.emit(Updated{CommandID: in.CommandID, RequestedBy: in.RequestedBy, Operation: c.nextOperation(),
		Description: in.Description, Tags: in.Tags, Templates: in.Resolved.Templates, Parameters: in.Resolved.Parameters,
		Given: in.Given, Groups: in.Groups, Nodes: nodes, Moved: moved, Steps: c.affected(nodes, in.Heal), Partings: recordedPartings(partings), DestroyAt: at, Heal: in.Heal,
		Forever: at == nil && in.Update.Lifetime != "", Standing: in.Standing, Plan: in.Executes.id(),
		Sources: in.Sources, Approvals: c.rulesAfter(in), FailFast: in.FailFast, Parallelism: c.parallelism(in.Resolved.Parallelism, in.Update.Parallelism), Epoch: c.Epoch,
		Origin: in.Origin, Kept: in.Kept, Changed: in.Changed, Adopts: in.Adopts})
	c.emit(StatusDeploying{Operation: c.s.Operation.ID})
	if c.s.hours() != hours {
		c.appoint()
	}
	return nil
}

// affected names the nodes that an update to this graph has to look at again: those that are new, are not as they should
// be, or would be given something else, what is to be healed, and those that depend on one of them, since what it puts out may change.
func (c *decision) affected(nodes []Node, heal bool) []string {
	var list []string
	affected := map[string]bool{}
	outputs := c.s.outputsIn(nodes)
	for _, n := range nodes {
		if (heal && c.off(n)) || c.mayChange(n, affected, outputs) {
			affected[n.Address] = true
			list = append(list, n.Address)
		}
	}
	return list
}

// off tells whether a look has found the node other than it should be.
func (c *decision) off(n Node) bool {
	now := c.s.same(n)
	return now != nil && now.Drift.Off()
}

func (c *decision) mayChange(n Node, affected map[string]bool, outputs recorded) bool {
	now := c.s.same(n)
	switch {
	case n.Type == StatusNode || (n.Type == ActionNode && !n.made() && !n.RunsOn(OnUpdate)):
		return false
	case now == nil:
		return n.made()
	case now.Stale || (now.Status != Deployed && n.made()):
		return true
	case n.Type == ActionNode && n.made() && !now.Exists:
		return true // it was only asked whether it answers: its occasions were others
	case n.Type == ActionNode && !n.RunsOn(OnUpdate):
		return false // it has run
	}
	for _, d := range n.DependsOn {
		if affected[d] {
			return true
		}
	}
	if now.Applied == "" && n.Type == ActionNode {
		return false // it has never run, and nothing that it comes after changes
	}
	in, err := c.Resolver.Inputs(n.Address, outputs)
	return err != nil || in.Fingerprint == "" || in.Fingerprint != now.Applied
}

// same tells whether there is nothing to do for a step that takes part because something may have changed.
func (n *Step) same(in Inputs) bool {
	switch {
	case !n.Stale || n.Due:
		return false
	case n.Type == ActionNode && !n.made() && n.Applied == "":
		return true
	}
	return n.Status == Deployed && in.Fingerprint != "" && in.Fingerprint == n.Applied
}
