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
	Steps     []Foreseen `json:"steps,omitempty"` // without those that stay as they are; removals last
	Unchanged int        `json:"unchanged"`
	// Against are the uses of outputs by other environments that it would take away.
	Against []Consumer `json:"against,omitempty"`
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
	f := Foresight{Unchanged: unchanged, Against: c.against(in)}
	for _, p := range append(steps, c.removals(r.Nodes)...) {
		f.Steps = append(f.Steps, c.foreseen(p))
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
