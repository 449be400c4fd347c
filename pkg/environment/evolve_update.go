package environment

import (
	"reflect"
	"slices"
	"time"

	"github.com/vivarium-env/vivarium/pkg/event"
)

// updated makes the graph be what it is to be, with what is known of the nodes that stay, and begins the operation.
func (s *State) updated(b Updated, at time.Time) error {
	s.Status, s.Epoch, s.Error = Deploying, b.Epoch, nil
	s.Templates, s.Parameters, s.Given, s.Groups, s.Sources = b.Templates, b.Parameters, b.Given, b.Groups, b.Sources
	if b.Description != nil {
		s.Description = *b.Description
	}
	if b.Tags != nil {
		s.Tags = b.Tags
	}
	s.TemplateStanding = b.Standing
	if b.DestroyAt != nil || b.Forever {
		s.planDestruction(b.DestroyAt)
	}
	if b.Kept != nil {
		s.Kept = b.Kept
	}
	s.dirty.environment = true
	changed := s.redraw(b.Nodes)
	s.part(b.Partings)
	if err := s.link(); err != nil {
		return err
	}
	s.begin(Operation{Kind: UpdateOperation, CommandID: b.CommandID, RequestedBy: b.RequestedBy, Executes: s.KeptPlan(b.Plan), Rules: s.Approvals,
		FailFast: b.FailFast, Parallelism: b.Parallelism, StartedAt: at, Origin: b.Origin}, b.Adopts.command(b.Origin.command(event.EnvironmentUpdate)))
	s.Approvals = b.Approvals
	s.bringBack()
	steps := set(b.Steps)
	for i, n := range s.Nodes {
		n.adopted(b.Adopts)
		switch {
		case n.Doomed:
			s.doom(i)
		case steps[n.Address]:
			n.Stale, n.Due = true, n.Due || (b.Heal && n.Drift.Off())
			s.renew(i)
		default:
			n.Stale, n.Due = false, false // an action that runs on no update any more
			s.leaveOut(i)
		}
		if changed[n.Address] {
			s.touch(i)
		}
	}
	s.release()
	return nil
}

// redraw replaces the graph. What the new one lacks is doomed and stands behind the rest, in its old order. It returns the
// nodes whose records are out of date.
func (s *State) redraw(nodes []Node) (changed map[string]bool) {
	changed = s.rename(nodes)
	next := make([]*Step, 0, len(nodes)+1)
	stays := identities(nodes)
	for _, node := range nodes {
		n := s.same(node)
		if n != nil && len(node.Consumes) > 0 {
			node.Consumes = slices.Clone(node.Consumes)
			node.keepSources(n.Consumes)
		}
		if n == nil {
			n = &Step{Node: node, Status: Pending}
			s.takeBack(n)
			changed[node.Address] = true
		} else if n.Doomed || !reflect.DeepEqual(n.Node, node) {
			n.keepStanding(node.DependsOn)
			n.Node, n.Doomed, n.Parting, changed[node.Address] = node, false, nil, true
			if !n.Probed {
				n.Endpoint, n.Health = nil, nil // it has no status endpoint any more
			}
			if !n.Exists {
				s.takeBack(n)
			}
		}
		next = append(next, n)
	}
	for _, n := range s.Nodes {
		if !stays[n.ID()] {
			n.Doomed = true
			n.keepStanding(nil)
			next = append(next, n)
		}
	}
	s.Nodes = next
	return changed
}

// keepStanding remembers what a node stands on before its dependencies become others.
func (n *Step) keepStanding(next []string) {
	if n.Stands == nil && n.Exists && !slices.Equal(n.DependsOn, next) {
		n.Stands = append([]string{}, n.DependsOn...)
	}
}

// settle is what the end of an operation says of what nodes stand on: those that were applied to the end stand on what
// they depend on, and those that were begun may stand on both.
func (s *State) settle() error {
	changed := false
	if s.Operation.Kind.looks() {
		return nil
	}
	for _, n := range s.Nodes {
		if n.Stands == nil || n.Doomed {
			continue
		}
		switch {
		case (n.Status == Deployed || n.Status == Idle) && !n.Stale:
			n.Stands, changed = nil, true
		case n.Operation == s.Operation.ID && n.Attempt > 0:
			n.Stands = slices.Concat(n.Stands, n.DependsOn)
			slices.Sort(n.Stands)
			n.Stands, changed = slices.Compact(n.Stands), true
		}
	}
	if !changed {
		return nil
	}
	return s.link()
}

// forgetDoomed takes out what an update has destroyed. It stands behind all other nodes, so nobody's place changes.
func (s *State) forgetDoomed() error {
	kept := len(s.Nodes)
	for kept > 0 && s.Nodes[kept-1].Doomed {
		kept--
	}
	if kept == len(s.Nodes) {
		return nil
	}
	for i, n := range s.Nodes[kept:] {
		delete(s.dirty.nodes, kept+i)
		if n.Status != StatusRetained { // its record says where it is
			s.dirty.removed = append(s.dirty.removed, Removal{ResourceName: ResourceName{s.Name, n.Address}, State: n.ID()})
		}
	}
	s.Nodes = slices.Clip(s.Nodes[:kept])
	return s.link()
}
