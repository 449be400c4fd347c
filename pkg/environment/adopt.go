package environment

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// AdoptInput is environment.adopt, its templates resolved: of an update, or of a create where there is no environment.
type AdoptInput struct {
	CommandMeta
	event.Adopt
	Resolved
}

func (AdoptInput) input() {}

// Adoptions are what is taken over, by address; nil gives up what was to be.
type Adoptions map[string]*event.Adoption

// adoptions reads the command's, and says what is wrong with them.
func (c *decision) adoptions(in event.Adopt, nodes []Node) (Adoptions, *fault.Error) {
	all := Adoptions{}
	for _, address := range slices.Sorted(maps.Keys(in.Resources)) {
		if err := c.adoptable(address, nodes); err != nil {
			return nil, err
		}
		all[address] = nil
		if id := in.Resources[address]; present(id) != nil {
			all[address] = &event.Adoption{ID: id, Force: in.Force}
		}
	}
	return all, nil
}

// adoptable says why a resource can't be taken over; one that the environment has made, or has taken over, is its own.
func (c *decision) adoptable(address string, nodes []Node) *fault.Error {
	i := slices.IndexFunc(nodes, func(n Node) bool { return n.Address == address })
	switch {
	case i < 0:
		return fault.New(fault.Reject, fault.NotFound, "field \"resources\": environment %q is to have no %q", c.s.Name, address)
	case nodes[i].Type != ResourceNode:
		return fault.New(fault.Reject, fault.Invalid, "field \"resources\": %s is no resource: there is nothing of it to take over", address)
	case c.s.Exists() && c.s.same(nodes[i]).own():
		return fault.New(fault.Reject, fault.Conflict, "field \"resources\": %s is the environment's own already", address)
	}
	return nil
}

// own tells whether the environment has made the node, or has taken it over.
func (n *Step) own() bool { return n != nil && (n.Outputs != nil || n.Status == Deployed) }

func (c *decision) adopt(in AdoptInput) *fault.Error {
	if c.s.Busy() || c.s.Status == DestroyFailed {
		return c.update(UpdateInput{}) // which says why not
	}
	nodes, _ := c.s.identify(in.Nodes, in.Moves)
	adopts, err := c.adoptions(in.Adopt, nodes)
	if c.s.Exists() {
		u := UpdateInput{CommandMeta: in.CommandMeta, Resolved: in.Resolved, Adopts: adopts}
		u.Description, u.Tags, u.DestroyAt, u.FailFast, u.Update.Parallelism = in.Description, in.Tags, in.DestroyAt, in.FailFast, in.Adopt.Parallelism
		return unless(err, func() *fault.Error { return c.update(u) })
	}
	n := CreateInput{CommandMeta: in.CommandMeta, Resolved: in.Resolved, Adopts: adopts}
	n.Tags, n.DestroyAt, n.FailFast, n.Create.Parallelism = in.Tags, in.DestroyAt, in.FailFast, in.Adopt.Parallelism
	if in.Description != nil {
		n.Description = *in.Description
	}
	return unless(err, func() *fault.Error { return c.create(n) })
}

func unless(err *fault.Error, then func() *fault.Error) *fault.Error {
	if err != nil {
		return err
	}
	return then()
}

// adopted settles what a step takes over, before the operation begins: an adoption that did not succeed is still wanted
// until it is given up.
func (n *Step) adopted(all Adoptions) {
	if a, named := all[n.Address]; named {
		n.Adopt = a
	}
}

// command is the name of the command behind a create or an update that takes something over.
func (all Adoptions) command(otherwise string) string {
	if all == nil {
		return otherwise
	}
	return event.EnvironmentAdopt
}

// proposedAdoption is what a step of a plan takes over.
func (c *decision) proposedAdoption(n Node, ids map[string]json.RawMessage) *event.Adoption {
	id, named := ids[n.Address]
	if named {
		if present(id) == nil {
			return nil
		}
		return &event.Adoption{ID: id}
	}
	if now := c.s.same(n); now != nil && c.s.Exists() {
		return now.Adopt
	}
	return nil
}

// adopts tells whether a step of a plan takes over what the environment is to take over at that place already, if anything: so
// an update would, without being told again.
func (s *State) adopts(p Proposed) bool {
	if p.Proposes != event.Apply {
		return true
	}
	var wanted *event.Adoption
	if now := s.same(p.Node); now != nil && s.Exists() {
		wanted = now.Adopt
	}
	left, errLeft := json.Marshal(p.Adopt)
	right, errRight := json.Marshal(wanted) // as the journal writes them
	return errLeft == nil && errRight == nil && bytes.Equal(left, right)
}
