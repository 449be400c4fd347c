package environment

import (
	"slices"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/vivarium-env/vivarium/pkg/event"
)

// revise has an update be a rollback to a graph of the environment's past, or a promotion, as often as not.
func (w *world) revise(in UpdateInput, may bool) Input {
	switch how := rapid.IntRange(0, 3).Draw(w.t, "origin"); {
	case how == 0 && len(w.past) > 0:
		number := rapid.IntRange(1, len(w.past)).Draw(w.t, "revision")
		r := RollbackInput{CommandMeta: in.CommandMeta, Rollback: event.Rollback{Revision: number, FailFast: in.FailFast}, Resolved: in.Resolved}
		if may {
			r.Nodes, r.Moves = slices.Clone(w.past[number-1]), nil
			w.plan = echo{nodes: map[string]Node{}, order: r.Nodes, rules: w.plan.rules}
			for _, n := range r.Nodes {
				w.plan.nodes[n.Address] = n
			}
		}
		w.origin = &Origin{Revision: number}
		return r
	case how == 2 && w.state.Exists() && rapid.Bool().Draw(w.t, "adopts"): // else it would be a create
		w.origin = nil
		return AdoptInput{CommandMeta: in.CommandMeta, Adopt: event.Adopt{Resources: w.adoptions(in.Resolved), FailFast: in.FailFast}, Resolved: in.Resolved}
	case how == 1:
		w.origin = &Origin{Environment: "other", Revision: 7}
		return PromoteInput{CommandMeta: in.CommandMeta, Promote: event.Promote{From: "other", FailFast: in.FailFast}, Resolved: in.Resolved,
			Origin: w.origin, Kept: rapid.SampledFrom([][]string{nil, {}, {"a"}}).Draw(w.t, "kept")}
	}
	w.origin = nil
	return in
}

// revised remembers a graph that was accepted as what the environment is to be.
func (w *world) revised(nodes []Node) {
	w.past = append(w.past, nodes)
	require.Equal(w.t, w.origin, w.state.Operation.Origin)
}

// like has a create be a clone, as often as not.
func (w *world) like(in CreateInput) Input {
	switch rapid.IntRange(0, 3).Draw(w.t, "like") {
	case 0, 1:
		w.origin = nil
		return in
	case 2:
		w.origin = nil
		if !w.state.Exists() {
			return AdoptInput{CommandMeta: in.CommandMeta, Adopt: event.Adopt{Resources: w.adoptions(in.Resolved), FailFast: in.FailFast}, Resolved: in.Resolved}
		}
	}
	w.origin = &Origin{Environment: "other", Revision: 7}
	return CloneInput{CommandMeta: in.CommandMeta, Clone: event.Clone{From: "other", FailFast: in.FailFast}, Resolved: in.Resolved, Origin: w.origin}
}

// create asks for an environment; one that is made begins its past anew.
func (w *world) create(in CreateInput) {
	if !w.state.Exists() {
		in.Resolved.Templates, in.Resolved.Approvals = w.planner.think(w.plan), w.plan.rules
	}
	asked := Input(in)
	if w.origin = nil; !w.sound {
		asked = w.like(in)
	}
	if w.takeOver(asked).Accepted {
		w.past = nil
		w.revised(in.Nodes)
	}
}

func resolvedOf(in Input) []Node {
	switch in := in.(type) {
	case UpdateInput:
		return in.Nodes
	case RollbackInput:
		return in.Nodes
	case PromoteInput:
		return in.Nodes
	case AdoptInput:
		return in.Nodes
	}
	return nil
}
