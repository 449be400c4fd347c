package orchestrator

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/plan"
)

// adopting is as resolved for environment.adopt: an update, or a create where there is nothing.
func (t *turn) adopting(s *environment.State, in environment.AdoptInput) (environment.Input, *plan.Plan, error) {
	if s.Busy() || s.Status == environment.DestroyFailed {
		return in, nil, nil
	}
	p := environment.PlanInput{CommandMeta: in.CommandMeta, Proposal: event.Proposal{Templates: in.Adopt.Templates,
		Parameters: in.Adopt.Parameters, Adopt: in.Resources}}
	resolved, pl, err := t.proposed(s, p)
	if found, is := resolved.(environment.PlanInput); is {
		in.Resolved = found.Resolved
	}
	return in, pl, err
}

// canAdopt says which of the resources have an executor that takes nothing over.
func (t *turn) canAdopt(resources map[string]json.RawMessage, nodes []environment.Node) error {
	for _, address := range slices.Sorted(maps.Keys(resources)) {
		i := slices.IndexFunc(nodes, func(n environment.Node) bool { return n.Address == address })
		if i < 0 || isNull(resources[address]) {
			continue // the decider says what is wrong
		}
		if kind, known := t.p.Kinds[nodes[i].Executor]; known && !kind.Adopts {
			return fault.New(fault.Reject, fault.Invalid, "field \"resources\": %s can't be taken over: the executor %q has no way to", address, nodes[i].Executor)
		}
	}
	return nil
}
