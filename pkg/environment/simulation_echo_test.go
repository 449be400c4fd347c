package environment

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// echo resolves every node's inputs to the outputs of what it depends on, so that a missing one is noticed.
type echo struct {
	nodes map[string]Node
	order []Node
	moves []Move
	rules []Approval // that the templates ask for
}

func (e echo) Inputs(address string, outputs func(string) (json.RawMessage, bool)) (Inputs, error) {
	given := e.nodes[address].Description
	for _, d := range e.nodes[address].DependsOn {
		given += e.called(d)
		if !e.nodes[d].made() {
			continue // nobody may use what it puts out, since it need not have run
		}
		out, ok := outputs(d)
		if !ok {
			return Inputs{}, fault.New(fault.GiveUp, fault.InputsUnresolved, "%s has no outputs", d)
		}
		given += string(out)
	}
	for _, of := range e.nodes[address].Consumes {
		out, ok := outputs(of.Key())
		if !ok {
			return Inputs{}, fault.New(fault.GiveUp, fault.InputsUnresolved, "%s is not there", of.Key())
		}
		given += of.Key() + string(out)
	}
	data, err := json.Marshal(map[string]string{"given": given})
	return Inputs{Data: data, Fingerprint: fmt.Sprintf("%x", sha256.Sum256(data))}, err
}

// called is what a node was called first: an executor is not told how others are called today.
func (e echo) called(address string) string {
	if name := e.nodes[address].Name; name != "" {
		return name
	}
	return address
}

// Proposal says of each dependency without outputs that it is not known.
func (e echo) Proposal(address string, outputs func(string) (json.RawMessage, bool)) (Inputs, error) {
	unknown := map[string][]string{}
	for _, d := range e.nodes[address].DependsOn {
		if _, ok := outputs(d); !ok && e.nodes[d].made() {
			unknown["given"] = append(unknown["given"], d)
		}
	}
	for _, of := range e.nodes[address].Consumes {
		if _, ok := outputs(of.Key()); !ok {
			unknown["given"] = append(unknown["given"], "environment "+of.Environment)
		}
	}
	if len(unknown) > 0 {
		return Inputs{Data: json.RawMessage(`{"given":null}`), Unknown: unknown}, nil
	}
	return e.Inputs(address, outputs)
}

func (e echo) Endpoint(string, func(string) (json.RawMessage, bool)) (*event.Endpoint, error) {
	return &event.Endpoint{URL: "tcp://127.0.0.1:1"}, nil
}

// Outputs are all that the nodes put out, if they have.
func (e echo) Outputs(outputs func(string) (json.RawMessage, bool)) (json.RawMessage, error) {
	all := map[string]json.RawMessage{}
	for _, address := range slices.Sorted(maps.Keys(e.nodes)) {
		out, ok := outputs(address)
		made := e.nodes[address].made()
		if made && !ok {
			return nil, fault.New(fault.GiveUp, fault.InputsUnresolved, "%s has no outputs", address)
		}
		if made {
			all[address] = out
		}
	}
	return json.Marshal(all)
}

func (e echo) Entrypoints(func(string) (json.RawMessage, bool)) ([]Entrypoint, error) {
	return nil, nil
}

func (w *world) graph() []Node {
	count := rapid.IntRange(0, 14).Draw(w.t, "nodes")
	nodes := make([]Node, count)
	w.plan = echo{nodes: map[string]Node{}, rules: w.templateRules()}
	for i := range nodes {
		n := Node{Address: fmt.Sprintf("t.x.n%d", i), Name: fmt.Sprintf("n%d", i), Idempotent: w.repeats[i], Description: rapid.SampledFrom([]string{"", "b"}).Draw(w.t, "given"), Type: ResourceNode, Executor: w.executor(i)}
		if rapid.IntRange(0, 6).Draw(w.t, "expires") == 0 {
			n.Expiry = time.Minute
		}
		if n.Type = w.kinds[i]; n.Type == ActionNode {
			n.RunOn = rapid.SliceOfNDistinct(rapid.SampledFrom(Occasions()), 0, 3, func(o Occasion) Occasion { return o }).Draw(w.t, "occasions")
			if len(n.RunOn) == 0 {
				n.RunOn = nil
			}
		}
		n.Group = rapid.SampledFrom([]string{"", "g", "h"}).Draw(w.t, "group")
		n.Probed = rapid.IntRange(0, 5).Draw(w.t, "probed") == 0
		if n.Probed && rapid.Bool().Draw(w.t, "probe") {
			n.Probe = "y"
		}
		for d := range i {
			if nodes[d].Type != StatusNode && rapid.IntRange(0, 3).Draw(w.t, "edge") == 0 {
				n.DependsOn = append(n.DependsOn, nodes[d].Address)
			}
		}
		if n.Type == StatusNode {
			n.Probed = true
		}
		w.protection(&n)
		w.others.draw(w, &n)
		if rapid.Bool().Draw(w.t, "retry") {
			n.Retry = &RetryPolicy{Attempts: rapid.IntRange(1, 3).Draw(w.t, "attempts")}
		}
		nodes[i], w.plan.nodes[n.Address] = n, n
	}
	w.plan.order = nodes
	return nodes
}

func (w *world) mutate() []Node {
	if rapid.IntRange(0, 3).Draw(w.t, "anew") == 0 {
		return w.graph()
	}
	var nodes []Node
	next := map[string]Node{}
	for _, n := range w.state.Nodes {
		node, stays := w.plan.nodes[n.Address]
		if !stays || rapid.IntRange(0, 5).Draw(w.t, "goes") == 0 {
			continue
		}
		var on []string
		for _, d := range node.DependsOn {
			if _, there := next[d]; there && rapid.IntRange(0, 5).Draw(w.t, "lets go") > 0 {
				on = append(on, d)
			}
		}
		if len(nodes) > 0 && rapid.IntRange(0, 3).Draw(w.t, "leans") == 0 {
			if d := nodes[rapid.IntRange(0, len(nodes)-1).Draw(w.t, "on")]; d.Type != StatusNode && !slices.Contains(on, d.Address) {
				on = append(on, d.Address)
			}
		}
		node.DependsOn = on
		if rapid.IntRange(0, 3).Draw(w.t, "protects") == 0 {
			w.protection(&node)
		}
		if rapid.IntRange(0, 3).Draw(w.t, "changes") == 0 {
			node.Description += "c"
			w.others.draw(w, &node)
		}
		nodes, next[node.Address] = append(nodes, node), node
	}
	rules := w.plan.rules
	if rapid.IntRange(0, 9).Draw(w.t, "other rules") == 0 {
		rules = w.templateRules()
	}
	w.plan = echo{nodes: next, order: nodes, rules: rules}
	return nodes
}

// resolved draws a graph only where it will be taken: a rejected create must not change what the world knows.
func (w *world) resolved() Resolved {
	if w.state.Exists() || w.state.Lock != nil {
		return Resolved{}
	}
	w.anew()
	return Resolved{Nodes: w.graph()}
}
