package environment

import (
	"slices"

	"github.com/vivarium-env/vivarium/pkg/event"
)

// rename gives steps the addresses of the nodes that they are, wherever they are spoken of. It returns those, by their new
// addresses, whose records are out of date by that.
func (s *State) rename(nodes []Node) (changed map[string]bool) {
	changed = map[string]bool{}
	renamed := map[string]string{}
	for _, node := range nodes {
		if n := s.same(node); n != nil && n.Address != node.Address {
			renamed[n.Address] = node.Address
			s.dirty.removed = append(s.dirty.removed, Removal{ResourceName: ResourceName{s.Name, n.Address}})
		}
	}
	if len(renamed) == 0 {
		return changed
	}
	for _, n := range s.Nodes {
		if to, moved := renamed[n.Address]; moved {
			n.Identity, n.Address = n.ID(), to
			changed[to] = true
		}
		if leads(n.DependsOn, renamed) {
			n.DependsOn = called(n.DependsOn, renamed)
			changed[n.Address] = true
		}
		n.Stands = called(n.Stands, renamed)
		if to, moved := renamed[n.Because]; moved {
			n.Because = to
		}
	}
	return changed
}

func leads(on []string, renamed map[string]string) bool {
	return slices.ContainsFunc(on, func(address string) bool { return renamed[address] != "" })
}

// called are addresses with those replaced that are others now.
func called(list []string, renamed map[string]string) []string {
	if !leads(list, renamed) {
		return list
	}
	list = slices.Clone(list)
	for i, address := range list {
		if to := renamed[address]; to != "" {
			list[i] = to
		}
	}
	return list
}

// gone are the removals that still hold: what was removed may have been made anew since.
func (s *State) gone(removed []Removal) []Removal {
	if len(removed) == 0 {
		return nil
	}
	addresses, identities := map[string]bool{}, map[string]bool{}
	for _, n := range s.real() {
		addresses[n.Address], identities[n.ID()] = true, true
	}
	var list []Removal
	for _, r := range removed {
		if addresses[r.Address] {
			r.Address = ""
		}
		if identities[r.State] {
			r.State = ""
		}
		if r.Address != "" || r.State != "" {
			list = append(list, r)
		}
	}
	return list
}

func with(all map[string]string, key, value string) map[string]string {
	if all == nil {
		all = map[string]string{}
	}
	all[key] = value
	return all
}

// addressed is an input as the decider understands it: runners speak of steps by their identities.
func (s *State) addressed(in Input) Input {
	switch in := in.(type) {
	case AcceptedInput:
		s.address(&in.TaskRef)
		return in
	case RefusedInput:
		s.address(&in.TaskRef)
		return in
	case ResultInput:
		s.address(&in.TaskRef)
		return in
	case HeartbeatInput:
		s.address(&in.TaskRef)
		return in
	case StateInput:
		s.address(&in.TaskRef)
		return in
	case LookInput:
		in.Step = s.AddressOf(in.Step)
		return in
	case HealthInput:
		in.Step = s.AddressOf(in.Step)
		return in
	}
	return in
}

func (s *State) address(ref *event.TaskRef) { ref.Step = s.AddressOf(ref.Step) }

// AddressOf is the address of the node with an identity. That of one which is no more stays what it is, unless another node
// has that as its address: it is told apart as the first of its name.
func (s *State) AddressOf(identity string) string {
	if i, ok := s.known[identity]; ok {
		return s.Nodes[i].Address
	}
	if _, taken := s.index[identity]; taken {
		return identity + "~1"
	}
	return identity
}
