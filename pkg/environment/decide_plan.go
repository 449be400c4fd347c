package environment

import (
	"encoding/json"
	"slices"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// mostShown bounds the differences that one plan keeps in all.
const mostShown = 2000

// plan begins an operation that asks executors what they would change.
func (c *decision) plan(in PlanInput) *fault.Error {
	switch {
	case in.Destroy && !c.s.Exists():
		return c.notThere()
	case c.s.Busy():
		return c.inTheWay()
	case !in.Destroy && c.s.Status == DestroyFailed:
		return fault.New(fault.Reject, fault.Conflict, "environment %q was to be destroyed, and something of it is left: plan a destroy", c.s.Name)
	}
	var moved []Moved
	in.Nodes, moved = c.s.identify(in.Nodes, c.s.movesTo(in.Origin, in.Resolved))
	if err := c.s.keeps(in.Nodes); err != nil && in.part == nil { // what takes part was looked at
		return err
	}
	b := StatusPlanning{CommandID: in.CommandID, RequestedBy: in.RequestedBy, Operation: c.nextOperation(), Destroy: in.Destroy,
		Templates: in.Resolved.Templates, Parameters: in.Resolved.Parameters, Given: in.Given, Heal: in.Heal, Redeploys: in.redeploys, Part: in.part,
		Parallelism: c.Policy.Parallelism, Epoch: c.Epoch, Origin: in.Origin, Changed: in.Changed, Moved: moved, Kept: c.s.promotionKeeps(in), Against: c.against(in)}
	if o := c.s.Operation; o != nil {
		b.Parallelism = c.parallelism(o.Parallelism)
	}
	if _, err := c.adoptions(event.Adopt{Resources: in.Proposal.Adopt}, in.Nodes); err != nil {
		return err
	}
	if b.Order = in.order; b.Order != nil && in.Keep != nil {
		b.Kept = in.Keep
	}
	var err error
	if in.Destroy {
		b.Steps, err = c.goodbyes(in)
	} else {
		b.Steps, b.Unchanged, err = c.proposed(in)
	}
	if err != nil {
		return rejected("", err, "")
	}
	b.Steps = append(b.Steps, c.removals(in)...)
	c.emit(b)
	return nil
}

// proposals are the nodes that may change, in their order. What they put out is not known to those that depend on them.
func (c *decision) proposals(in PlanInput) (steps []Proposed, unchanged int, err error) {
	changing := map[string]bool{}
	known := c.s.outputsIn(in.Nodes)
	outputs := func(address string) (json.RawMessage, bool) {
		if changing[address] {
			return nil, false
		}
		return known(address)
	}
	takes := c.takes(in)
	for _, n := range in.Nodes {
		heals := (in.Heal && c.off(n)) || slices.Contains(in.redeploys, n.Group)
		if !takes(n.Address) {
			unchanged += count(n.Type == ResourceNode)
			continue
		}
		if !heals && !c.concerned(n, changing, known) {
			unchanged += count(n.Type == ResourceNode)
			continue
		}
		p, err := c.Resolver.Proposal(n.Address, outputs)
		if err != nil {
			return nil, 0, err
		}
		if !heals && c.asIs(n, p) {
			unchanged++
			continue
		}
		changing[n.Address] = true
		steps = append(steps, Proposed{Node: n, Proposes: event.Apply, Inputs: p.Data, Fingerprint: p.Fingerprint, Unknown: p.Unknown,
			Adopt: c.proposedAdoption(n, in.Proposal.Adopt)})
	}
	return steps, unchanged, nil
}

// proposed are proposals, with the actions behind them that run before what they go with is destroyed.
func (c *decision) proposed(in PlanInput) (steps []Proposed, unchanged int, err error) {
	if steps, unchanged, err = c.proposals(in); err != nil {
		return nil, 0, err
	}
	partings, err := c.partings(in.Nodes)
	return append(steps, c.within(in, partings)...), unchanged, err
}

// takes tells which nodes take part in what is planned.
func (c *decision) takes(in PlanInput) func(address string) bool {
	part := in.part
	if in.redeploys != nil {
		part = c.s.redeployed(in.redeploys)
	} else if part == nil {
		return func(string) bool { return true }
	}
	takes := set(part)
	return func(address string) bool { return takes[address] }
}

// within are those of the steps that take part in what is planned.
func (c *decision) within(in PlanInput, steps []Proposed) []Proposed {
	takes := c.takes(in)
	return slices.DeleteFunc(steps, func(p Proposed) bool { return !takes(p.Address) })
}

// goodbyes are the actions that a destroy runs before what they depend on is gone.
func (c *decision) goodbyes(in PlanInput) (steps []Proposed, err error) {
	farewells, takes := c.s.farewells(), c.takes(in)
	for i := len(c.s.Nodes) - 1; i >= 0 && err == nil; i-- {
		if n := c.s.Nodes[i]; farewells[i] && takes(n.Address) {
			var p Inputs
			if n.Parting != nil {
				p, err = c.recalled(n)
			} else {
				p, err = c.Resolver.Proposal(n.Address, c.s.OutputsOf)
			}
			steps = append(steps, Proposed{Node: n.Node, Proposes: event.Apply, Inputs: p.Data, Fingerprint: p.Fingerprint, Unknown: p.Unknown})
		}
	}
	return steps, err
}

func count(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// concerned tells whether an update, or the create, would have a step for the node.
func (c *decision) concerned(n Node, changing map[string]bool, outputs recorded) bool {
	if !c.s.Exists() {
		return n.made()
	}
	return c.mayChange(n, changing, outputs)
}

// asIs tells whether a resource would be given what it was given last, so that nothing runs.
func (c *decision) asIs(n Node, p Inputs) bool {
	now := c.s.same(n)
	if now == nil || n.Type != ResourceNode || len(p.Unknown) > 0 {
		return false
	}
	return now.Status == Deployed && !now.Stale && !now.Due && p.Fingerprint != "" && p.Fingerprint == now.Applied
}

// removals are the resources that are there and not among the nodes, those first that stand on others.
func (c *decision) removals(in PlanInput) (steps []Proposed) {
	stays := identities(in.Nodes)
	for i := len(c.s.Nodes) - 1; i >= 0; i-- {
		if n := c.s.Nodes[i]; n.Exists && n.Type == ResourceNode && !stays[n.ID()] {
			steps = append(steps, Proposed{Node: n.Node, Proposes: event.Destruct, Inputs: n.Inputs})
		}
	}
	return c.within(in, steps)
}

// proposes records what an executor would change, within the bounds of a plan.
func (c *decision) proposes(in ResultInput) {
	b := said(in)
	if room := max(mostShown-c.s.Operation.Plan.Shown, 0); len(b.Plan.Differences) > room {
		b.Plan.Omitted += len(b.Plan.Differences) - room
		b.Plan.Differences = b.Plan.Differences[:room:room]
	}
	b.Error = c.s.Step(in.Step).spared(fault.Reject, b.Plan.Change)
	if b.Saved != nil && c.s.Operation.savedBytes()+b.Saved.Size > mostSavedBytes {
		b.Saved, b.Unkept = nil, b.Saved.Size
	}
	c.tell(b)
}

// said is what an executor has said of a step.
func said(in ResultInput) StepPlanned {
	b := StepPlanned{Operation: in.Operation, Step: in.Step, Plan: event.Plan{Change: event.ChangeUnknown}, Saved: savedRef(in.SavedPlan), Unkept: in.Unkept}
	if in.Plan != nil && in.Plan.Change != "" {
		b.Plan = *in.Plan
	}
	return b
}

// tell records it. What was saved with it is there for whatever this decision begins.
func (c *decision) tell(b StepPlanned) {
	c.emit(b)
	c.justSaved = SavedPlan{Operation: b.Operation}.Place(b.Step)
}
