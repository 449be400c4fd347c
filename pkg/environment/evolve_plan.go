package environment

import (
	"slices"
	"time"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// planning begins an operation whose steps are nodes of their own: what is there is put aside until it is over.
func (s *State) planning(b StatusPlanning, at time.Time) error {
	before := s.Status
	if before == "" {
		s.CreatedAt = at
	}
	var templates []Template
	if s.Exists() {
		templates = s.Templates
	}
	adopts := slices.ContainsFunc(b.Steps, func(p Proposed) bool { return !s.adopts(p) })
	steps := make([]*Step, len(b.Steps))
	for i, p := range b.Steps {
		steps[i] = s.proposal(p)
	}
	s.Status, s.Epoch = Planning, b.Epoch
	s.begin(Operation{Kind: PlanOperation, CommandID: b.CommandID, RequestedBy: b.RequestedBy, Parallelism: b.Parallelism, Before: before,
		StartedAt: at, Origin: b.Origin, Aside: s.Nodes, Plan: &PlanRecord{Destroy: b.Destroy, Templates: b.Templates, Moved: b.Moved, Before: templates, Steps: []PlannedStep{}, Changed: b.Changed, Against: b.Against,
			Counts: map[event.Change]int{event.ChangeNone: b.Unchanged}}}, event.EnvironmentPlan)
	s.Nodes = steps
	s.Operation.Makes = &KeptPlan{Operation: s.Operation.ID, RequestedBy: b.RequestedBy, Create: !before.exists(), Destroy: b.Destroy, Heal: b.Heal, Redeploys: b.Redeploys, Part: b.Part,
		Templates: b.Templates, Parameters: b.Parameters, Given: b.Given, Origin: b.Origin, Keep: b.Kept}
	if adopts {
		s.Operation.Makes.Flaw = "it takes over what is there already, or gives that up, which environment.adopt does"
	}
	s.Operation.Order = b.Order
	if b.Order != nil && b.Order.Planned {
		s.planDestruction(nil) // it is tried once by itself
	}
	if b.Order != nil && b.Order.Of != "" {
		s.Operation.Makes, s.Operation.Plan.Of = nil, b.Order.Of
		s.Operation.Plan.Counts = s.KeptPlan(b.Order.Of).counts()
	}
	s.dirty.environment = true
	if err := s.link(); err != nil {
		return err
	}
	for i, n := range s.Nodes {
		s.include(i, event.Propose)
		n.Unmet = 0
		s.ready(i)
	}
	return nil
}

// proposal is a step that waits for no other, with what is kept of the node. An action that would run does so anew.
func (s *State) proposal(p Proposed) *Step {
	n := &Step{Node: p.Node, Status: Pending, Proposes: p.Proposes, Inputs: p.Inputs, Unknown: p.Unknown, Offered: p.Fingerprint, Adopt: p.Adopt}
	n.DependsOn = nil
	if now := s.same(p.Node); now != nil {
		n.Exists, n.StateHash = now.Exists, now.StateHash
		if n.Type == ResourceNode {
			n.Outputs = now.Outputs
		}
	}
	if i := slices.IndexFunc(s.Retained, func(r Leftover) bool { return r.ID() == p.ID() }); i >= 0 && !n.Exists {
		n.Exists, n.StateHash = true, s.Retained[i].StateHash
	}
	return n
}

// aside tells whether the nodes are those of a plan.
func (s *State) aside() bool {
	return s.Operation != nil && s.Operation.Kind == PlanOperation && s.Status == Planning
}

// real are the environment's own nodes.
func (s *State) real() []*Step {
	if s.aside() {
		return s.Operation.Aside
	}
	return s.Nodes
}

func (s *State) planned(b StatusPlanned) error {
	o := s.Operation
	if o.Awaits == nil {
		s.sortPlan()
	}
	s.keepPlan(b)
	o.Plan.Until = b.Until
	s.dirty.operation = true
	if o.Awaits == nil {
		s.Nodes = o.Aside
	}
	if s.Status = o.Before; s.Status == "" {
		s.Status = Planned
	}
	o.Aside = nil
	return s.link()
}

// told takes what was said of a step, or why nothing was.
func (s *State) told(n *Step, b StepPlanned, err *fault.Error) {
	p, plan := s.Operation.Plan, b.Plan
	p.Steps = append(p.Steps, PlannedStep{Address: n.Address, Type: n.Type, Proposes: n.Proposes, Plan: plan, Error: err})
	if s.Operation.Error == nil {
		s.Operation.Error = err
	}
	s.keepStep(n, b)
	s.dirty.operation = true
	p.Counts[plan.Change]++
	p.Shown += len(plan.Differences)
}
