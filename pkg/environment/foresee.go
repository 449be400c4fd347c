package environment

import (
	"slices"
	"time"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Foreseen is what an update would do to one node, as far as that is known without asking an executor.
type Foreseen struct {
	Address string       `json:"address"`
	Type    NodeType     `json:"type" jsonschema:"enum=resource,enum=action,enum=status"`
	Change  event.Change `json:"change"`
	// After are the nodes, and the environments, that have to be there before it is known.
	After []string `json:"after,omitempty"`
}

// Foresight is what an update of one environment would do.
type Foresight struct {
	Steps []Foreseen `json:"steps,omitempty"` // without those that stay as they are; removals last
	// Counts of the steps by what they do, and of the resources that stay as they are. What an executor would replace is counted
	// as an update: nobody asks it.
	Counts map[event.Change]int `json:"counts,omitempty"`
	// Against are the uses of outputs by other environments that it would take away.
	Against []Consumer `json:"against,omitempty"`
}

// Effect is what a template would do to one environment.
type Effect struct {
	Environment string `json:"environment"`
	Status      Status `json:"status"`
	// Now is the template that it is made from.
	Now Template `json:"now"`
	Foresight
	// Error is why the environment could not be updated to it.
	Error *fault.Error `json:"error,omitempty"`
}

// Foresee tells what an update to what was resolved would do. Nothing is decided, and the state is left as it is; an error says
// why the update would be refused, or what of it can't be worked out. A resource that gets other inputs is updated; whether it
// is replaced for that, only its executor knows.
func (d *Decider) Foresee(s *State, around Surroundings, r Resolved, now time.Time) (Foresight, *fault.Error) {
	if around.Resolver != nil {
		around.Resolver = consuming{around.Resolver, around.Consumed}
	}
	c := &decision{Policy: d.policy, Surroundings: around, s: s, now: now}
	if err := s.keeps(r.Nodes); err != nil {
		return Foresight{}, err
	}
	in := PlanInput{Resolved: r}
	steps, unchanged, err := c.proposals(in)
	if err != nil {
		return Foresight{}, fault.From(err)
	}
	f := Foresight{Counts: map[event.Change]int{}, Against: c.against(in)}
	if unchanged > 0 {
		f.Counts[event.ChangeNone] = unchanged
	}
	for _, p := range append(steps, c.removals(in)...) {
		step := c.foreseen(p)
		f.Steps = append(f.Steps, step)
		f.Counts[step.Change]++
	}
	return f, nil
}

func (c *decision) foreseen(p Proposed) Foreseen {
	f := Foreseen{Address: p.Address, Type: p.Type, Change: event.ChangeUpdate}
	now := c.s.Step(p.Address)
	switch {
	case p.Proposes == event.Destruct:
		f.Change = event.ChangeDestroy
	case now == nil || !now.Exists:
		f.Change = event.ChangeCreate
	case len(p.Unknown) > 0:
		f.Change = event.ChangeUnknown
	}
	for _, after := range p.Unknown {
		f.After = append(f.After, after...)
	}
	slices.Sort(f.After)
	f.After = slices.Compact(f.After)
	return f
}
