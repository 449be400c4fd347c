package environment

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// Move is a `moved` block: what was called From is called To. Both are addresses.
type Move struct {
	From string `json:"from"`
	To   string `json:"to"`
	// Whole: From and To are those of blocks, all of whose instances go, with their keys.
	Whole bool `json:"whole,omitempty"`
}

// Moved is a node that has got another address.
type Moved struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// recorded gives the outputs of a node by its address.
type recorded = func(address string) (json.RawMessage, bool)

// ID is the node's identity, its address where that never was another.
func (n Node) ID() string {
	if n.Identity != "" {
		return n.Identity
	}
	return n.Address
}

// Kept is the name under which the store has the state.
func (b StateSaved) Kept() string {
	if b.Identity != "" {
		return b.Identity
	}
	return b.Step
}

// identities are those of nodes.
func identities(nodes []Node) map[string]bool {
	all := make(map[string]bool, len(nodes))
	for _, n := range nodes {
		all[n.ID()] = true
	}
	return all
}

func set(list []string) map[string]bool {
	all := make(map[string]bool, len(list))
	for _, one := range list {
		all[one] = true
	}
	return all
}

// same finds the step of a node, whatever its address was so far; nil when it is new.
func (s *State) same(n Node) *Step {
	if i, ok := s.known[n.ID()]; ok {
		return s.Nodes[i]
	}
	return nil
}

// address is where a move leads from an address, "" when it is not about that.
func (m Move) address(from string) string {
	if from == m.From {
		return m.To
	}
	if rest, found := strings.CutPrefix(from, m.From+"["); found && m.Whole {
		return m.To + "[" + rest
	}
	return ""
}

// relocated are the steps by the addresses that moves lead them to. A step does not go where another one is, nor away from
// an address that a node has.
func (s *State) relocated(nodes []Node, moves []Move) map[string]*Step {
	at := make(map[string]*Step, len(s.Nodes))
	for _, n := range s.Nodes {
		at[n.Address] = n
	}
	if len(moves) == 0 {
		return at
	}
	declared := make(map[string]bool, len(nodes))
	for _, n := range nodes {
		declared[n.Address] = true
	}
	for _, m := range moves {
		for _, from := range m.sources(at) {
			if to := m.address(from); at[to] == nil && !declared[from] {
				at[to] = at[from]
				delete(at, from)
			}
		}
	}
	return at
}

// sources are the addresses that a move is about, sorted.
func (m Move) sources(at map[string]*Step) []string {
	if !m.Whole {
		if at[m.From] == nil {
			return nil
		}
		return []string{m.From}
	}
	var list []string
	for address := range at {
		if m.address(address) != "" {
			list = append(list, address)
		}
	}
	slices.Sort(list)
	return list
}

// follow gives nodes the identities of what they are now. One that is new has one that nobody has: its address, unless
// that is the identity of what had the address before.
func (s *State) follow(nodes []Node, moves []Move) (identified []Node, moved []Moved) {
	at := s.relocated(nodes, moves)
	fresh := map[string]bool{}
	identified = nodes
	for i, n := range nodes {
		identity := ""
		if now := at[n.Address]; now == nil {
			identity = s.unused(n, fresh)
			fresh[identity] = true
		} else {
			identity = now.ID()
			if now.Address != n.Address {
				moved = append(moved, Moved{From: now.Address, To: n.Address})
			}
		}
		if identity == n.Address {
			identity = ""
		}
		if n.Identity != identity {
			if &identified[0] == &nodes[0] {
				identified = slices.Clone(nodes) // the caller's are for reading only
			}
			identified[i].Identity = identity
		}
	}
	return identified, moved
}

// unused is the identity of a node that is new: that of what was retained of it, or else its address, with a number
// where somebody else is called so.
func (s *State) unused(n Node, fresh map[string]bool) string {
	used := func(identity string) bool {
		_, known := s.known[identity]
		return known || fresh[identity]
	}
	for _, r := range s.Retained {
		if r.Address == n.Address && n.Type == ResourceNode && !used(r.ID()) {
			return r.ID()
		}
	}
	identity := n.Address
	for number := 2; used(identity) || s.retains(identity); number++ {
		identity = n.Address + "~" + strconv.Itoa(number)
	}
	return identity
}

func (s *State) retains(identity string) bool {
	return slices.ContainsFunc(s.Retained, func(r Leftover) bool { return r.ID() == identity })
}

// identify is follow where there is something, and anew where there is nothing.
func (s *State) identify(nodes []Node, moves []Move) ([]Node, []Moved) {
	if s.Exists() {
		return s.follow(nodes, moves)
	}
	return s.anew(nodes), nil
}

// anew gives the nodes of a new life their identities: only what an earlier one has left counts.
func (s *State) anew(nodes []Node) []Node {
	if len(s.Retained) == 0 {
		return nodes
	}
	nodes, _ = (&State{Retained: s.Retained}).follow(nodes, nil)
	return nodes
}

// movesTo are the moves that lead to a graph. One of the environment's own past takes back those that have led away from it.
func (s *State) movesTo(origin *Origin, r Resolved) []Move {
	if origin == nil || origin.Environment != "" {
		return r.Moves
	}
	var moves []Move
	for _, n := range r.Nodes {
		if now := s.same(n); now != nil && now.Address != n.Address {
			moves = append(moves, Move{From: now.Address, To: n.Address})
		}
	}
	return append(moves, r.Moves...)
}

// outputsIn gives the recorded outputs of nodes by the addresses that they are to have.
func (s *State) outputsIn(nodes []Node) recorded {
	identities := map[string]string{}
	for _, n := range nodes {
		if n.Identity != "" {
			identities[n.Address] = n.Identity
		}
	}
	return func(address string) (json.RawMessage, bool) {
		identity := address
		if other, moved := identities[address]; moved {
			identity = other
		}
		i, ok := s.known[identity]
		if !ok || s.Nodes[i].Outputs == nil {
			return nil, false
		}
		return s.Nodes[i].Outputs, true
	}
}
