package environment

import (
	"fmt"
	"maps"
	"slices"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// names is the world's own knowledge of what identities the nodes have, by the facts alone. All that the world knows of
// what is there goes by identities, as it does with executors.
type names struct {
	of      map[string]string // identity by address
	planned map[string]string // the same of the nodes of a plan, nil while there is none
}

// identity of an address, as of the last fact.
func (k *names) identity(address string) string {
	if identity, ok := k.planned[address]; ok {
		return identity
	}
	if identity, ok := k.of[address]; ok {
		return identity
	}
	return address
}

// check follows what facts say of identities: who moves keeps his, and no two nodes have the same.
func (k *names) check(w *world, f Fact) {
	switch b := f.Body.(type) {
	case Created:
		k.of = map[string]string{}
		k.take(b.Nodes)
	case Updated:
		for _, m := range b.Moved {
			was, of := k.identity(m.From), slices.IndexFunc(b.Nodes, func(n Node) bool { return n.Address == m.To })
			if of < 0 || b.Nodes[of].ID() != was {
				w.t.Fatalf("%s was moved to %s, and is not %s any more", m.From, m.To, was)
			}
		}
		for _, m := range b.Moved {
			delete(k.of, m.From)
		}
		k.take(b.Nodes)
	case StatusPlanning:
		k.planned = map[string]string{}
		for _, p := range b.Steps {
			k.planned[p.Address] = p.ID()
		}
	case StatusPlanned:
		k.planned = nil
	}
	seen := map[string]bool{}
	for _, n := range w.state.Nodes {
		if seen[n.ID()] {
			w.t.Fatalf("two nodes are %s", n.ID())
		}
		seen[n.ID()] = true
	}
}

func (k *names) take(nodes []Node) {
	for _, n := range nodes {
		k.of[n.Address] = n.ID()
	}
}

// identified is a fact with the identities of steps instead of their addresses.
func (k *names) identified(f Fact) Fact {
	switch b := f.Body.(type) {
	case StepWaiting:
		b.Step = k.identity(b.Step)
		f.Body = b
	case StepQueued:
		b.Step = k.identity(b.Step)
		f.Body = b
	case StepComplete:
		b.Step = k.identity(b.Step)
		f.Body = b
	case StepUnchanged:
		b.Step = k.identity(b.Step)
		f.Body = b
	case StepError:
		b.Step = k.identity(b.Step)
		f.Body = b
	case StateSaved:
		b.Step = k.identity(b.Step)
		f.Body = b
	case StepDoubted:
		b.Step = k.identity(b.Step)
		f.Body = b
	case StepUncertain:
		b.Step = k.identity(b.Step)
		f.Body = b
	case StepSettled:
		b.Step = k.identity(b.Step)
		f.Body = b
	case StepRetained:
		b.Step = k.identity(b.Step)
		f.Body = b
	case ResourceObserved:
		b.Step = k.identity(b.Step)
		f.Body = b
	}
	return f
}

// step finds the state's step of an identity.
func (w *world) step(identity string) *Step { return w.state.same(Node{Address: identity}) }

// wanted finds the node that is to have an identity.
func (w *world) wanted(identity string) (Node, bool) {
	for address, n := range w.plan.nodes {
		if w.names.identity(address) == identity {
			return n, true
		}
	}
	return Node{}, false
}

// move gives some of the nodes other addresses, mostly with a word about it, and lets new ones have the addresses that are
// free by that another time.
func (w *world) move(nodes []Node) (moved []Node, moves []Move) {
	next := map[string]string{}
	for _, n := range nodes {
		next[n.Address] = n.Address
	}
	used := maps.Clone(next)
	for _, n := range nodes {
		if rapid.IntRange(0, 5).Draw(w.t, "moves") > 0 {
			continue
		}
		kind := string(n.Type) // which an address says, as of a resource its executor
		if n.Type == ResourceNode {
			kind = n.Executor
		}
		to := fmt.Sprintf("t.%s.m%d", kind, rapid.IntRange(0, 3).Draw(w.t, "to"))
		if used[to] != "" {
			continue
		}
		used[to], next[n.Address] = to, to
		w.executors[to] = n.Executor
		moves = append(moves, w.said(n.Address, to)...)
	}
	for _, n := range nodes {
		n.Address = next[n.Address]
		n.DependsOn = slices.Clone(n.DependsOn)
		for i, d := range n.DependsOn {
			n.DependsOn[i] = next[d]
		}
		moved = append(moved, n)
	}
	w.plan = echo{nodes: map[string]Node{}, order: moved, moves: moves, rules: w.plan.rules}
	for _, n := range moved {
		w.plan.nodes[n.Address] = n
	}
	return moved, moves
}

// said is how a template tells of a move: at once, in two steps, or not at all.
func (w *world) said(from, to string) []Move {
	switch rapid.IntRange(0, 5).Draw(w.t, "said") {
	case 0:
		return nil
	case 1:
		return []Move{{From: from, To: "t.x.between" + from}, {From: "t.x.between" + from, To: to}}
	case 2:
		return []Move{{From: from, To: to, Whole: true}}
	}
	return []Move{{From: from, To: to}}
}

// kept holds that what the templates have is not destroyed by an update.
func (w *world) keeps(b StepWaiting) {
	if n, wanted := w.wanted(b.Step); wanted && w.state.Operation.Kind == UpdateOperation && w.step(b.Step) != nil {
		require.Fail(w.t, "destroyed", "%s is destroyed as %s, but it is what the templates call %s", b.Step, w.step(b.Step).Address, n.Address)
	}
}
