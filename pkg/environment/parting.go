package environment

import (
	"encoding/json"
	"slices"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Parting is an action that an update runs before what it depends on is destroyed. The new templates know neither, so it is given
// what the former ones say, as of the beginning of the update.
type Parting struct {
	Step        string          `json:"step"`
	Inputs      json.RawMessage `json:"inputs,omitempty"` // secrets sealed; not published
	Fingerprint string          `json:"fingerprint,omitempty"`
}

// partings are the actions that go with a resource which goes, and run before it does. One whose resource stays has no occasion,
// and one that stays has its occasion when all of the environment goes.
func (c *decision) partings(nodes []Node) (steps []Proposed, err error) {
	stays := identities(nodes)
	goes := func(d int) bool {
		n := c.s.Nodes[d]
		return n.Exists && n.Type == ResourceNode && !stays[n.ID()]
	}
	farewells := c.s.farewells()
	for i := len(c.s.Nodes) - 1; i >= 0; i-- {
		n := c.s.Nodes[i]
		if !farewells[i] || stays[n.ID()] || !slices.ContainsFunc(joined(n.stands, n.partsFrom), goes) {
			continue
		}
		p, err := c.recalled(n)
		if err != nil {
			e := fault.From(err)
			return nil, fault.New(e.Disposition, e.Code, "%s has to run before what it depends on is destroyed, and what it would be given can't be worked out: %s", n.Address, e.Message)
		}
		steps = append(steps, Proposed{Node: n.Node, Proposes: event.Apply, Inputs: p.Data, Fingerprint: p.Fingerprint})
	}
	return steps, nil
}

// recalled is what an action that goes is given: by the templates that the environment has, or as an earlier update has recorded it.
func (c *decision) recalled(n *Step) (Inputs, error) {
	if n.Parting != nil {
		return Inputs{Data: n.Parting.Inputs, Fingerprint: n.Parting.Fingerprint}, nil
	}
	before := c.Before
	if before == nil {
		before = c.Resolver
	}
	return before.Inputs(n.Address, c.s.OutputsOf)
}

// inputs are what a step is given.
func (c *decision) inputs(n *Step) (Inputs, error) {
	if n.Parting != nil {
		return c.recalled(n)
	}
	return c.Resolver.Inputs(n.Address, c.s.OutputsOf)
}

// recordedPartings are partings as the fact has them.
func recordedPartings(steps []Proposed) (list []Parting) {
	for _, p := range steps {
		list = append(list, Parting{Step: p.Address, Inputs: p.Inputs, Fingerprint: p.Fingerprint})
	}
	return list
}

// part has doomed actions remember what they are given.
func (s *State) part(partings []Parting) {
	if len(partings) == 0 {
		return
	}
	by := make(map[string]*Parting, len(partings))
	for i := range partings {
		by[partings[i].Step] = &partings[i]
	}
	for _, n := range s.Nodes {
		if p := by[n.Address]; p != nil && n.Doomed {
			n.Parting = p
		}
	}
}

// parts tells whether a doomed action is still to run: something that it goes with is there.
func (s *State) parts(n *Step) bool {
	return n.Doomed && n.Parting != nil && n.Status != Destroyed && slices.ContainsFunc(joined(n.stands, n.partsFrom), func(d int) bool { return s.Nodes[d].lingers() })
}
