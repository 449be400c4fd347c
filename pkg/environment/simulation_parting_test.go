package environment

import (
	"encoding/json"
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
)

// former evaluates by the graph that the environment has.
func (w *world) former() Resolver {
	if w.parts.lost {
		return kindless{}
	}
	e := echo{nodes: map[string]Node{}}
	for _, n := range w.state.real() {
		if !n.Doomed {
			e.nodes[n.Address] = n.Node
		}
	}
	return e
}

// checkPartings: an action that goes with a resource runs before that is destroyed, with what was recorded, and no other does.
func (w *world) checkPartings(f Fact) {
	switch b := f.Body.(type) {
	case Updated:
		for _, n := range w.state.Nodes {
			if w.wasPart(n) && n.Parting == nil {
				w.t.Fatalf("%s goes with what it depends on, and will not be run", n.Address)
			}
			if n.Parting != nil && (!n.Doomed || !n.RunsOn(OnDestroy)) {
				w.t.Fatalf("%s stays, or has no such occasion, and is to be run", n.Address)
			}
		}
		for _, p := range b.Partings {
			data, err := json.Marshal(p.Inputs)
			require.NoError(w.t, err)
			require.JSONEq(w.t, string(data), string(w.state.Step(p.Step).Parting.Inputs))
		}
	case StepWaiting:
		n := w.state.Step(b.Step)
		if b.Verb == event.Destruct {
			w.checkParted(n)
		}
		if b.Verb != event.Apply || !n.Doomed {
			return
		}
		if n.Parting == nil || string(n.Parting.Inputs) != string(b.Inputs) {
			w.t.Fatalf("%s is run by templates that do not know it", b.Step)
		}
		for _, d := range n.DependsOn {
			if of := w.state.Step(d); of.Doomed && of.Type == ResourceNode && of.Status == Destroyed {
				w.t.Fatalf("%s runs when %s, which it depends on, is gone", b.Step, d)
			}
		}
	}
}

// wasPart tells whether a node is an action that has to run before something goes, as far as that can be seen from outside.
func (w *world) wasPart(n *Step) bool {
	if w.doomed[n.ID()] || !n.Doomed || !n.RunsOn(OnDestroy) || n.Status != Idle || n.Operation != "" {
		return false // it may have run, or the templates had done away with it and not with what it depends on
	}
	goes := false
	for _, d := range n.DependsOn {
		of := w.state.Step(d)
		if of.made() && (!w.applied[of.ID()] || of.Status == Destroyed || of.Down) {
			return false
		}
		goes = goes || (of.Doomed && of.Exists && of.Type == ResourceNode && w.applied[of.ID()])
	}
	return goes
}

// checkParted: what is destroyed has been taken leave of.
func (w *world) checkParted(n *Step) {
	for _, a := range w.state.Nodes {
		if a.Parting != nil && a.Doomed && a.Status != Destroyed && slices.Contains(a.DependsOn, n.Address) && !w.state.Operation.Force {
			w.t.Fatalf("%s is destroyed, and %s has not run", n.Address, a.Address)
		}
	}
}
