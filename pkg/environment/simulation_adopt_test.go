package environment

import (
	"encoding/json"
	"maps"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/vivarium-env/vivarium/pkg/event"
)

// adoptions draws what is taken over of nodes, now and then what can't be.
func (w *world) adoptions(r Resolved) map[string]json.RawMessage {
	ids := map[string]json.RawMessage{}
	nodes, _ := w.state.identify(r.Nodes, r.Moves)
	for _, n := range nodes {
		own := w.state.Exists() && w.state.same(n).own()
		if wrong := n.Type != ResourceNode || own; rapid.IntRange(0, 2).Draw(w.t, "adopt") == 0 && (!wrong || rapid.IntRange(0, 9).Draw(w.t, "wrong") == 0) {
			ids[n.Address] = rapid.SampledFrom([]json.RawMessage{json.RawMessage("true"), json.RawMessage(`{"a":"b"}`), json.RawMessage("null")}).Draw(w.t, "id")
		}
	}
	return ids
}

// takeOver decides on a command that may take something over; one that makes an environment begins anew.
func (w *world) takeOver(in Input) *event.Answer {
	before, wanted := w.adopts, map[string]bool{}
	if w.state.Exists() {
		maps.Copy(wanted, before)
	}
	a, adopting := in.(AdoptInput)
	nodes, _ := w.state.identify(a.Nodes, a.Moves)
	for _, n := range nodes {
		if id, named := a.Resources[n.Address]; named {
			wanted[n.ID()] = string(id) != "null"
		}
	}
	w.adopts = wanted
	answer := w.decide(in)
	if !answer.Accepted {
		w.adopts = before
	}
	for address := range a.Resources {
		if adopting && answer.Accepted {
			require.Equal(w.t, ResourceNode, w.plan.nodes[address].Type, "only resources are taken over")
		}
	}
	return answer
}

// tookOver ends an adoption that has succeeded, and at the end of an update those of what is gone.
func (w *world) tookOver(step string) {
	if w.offered[step].Verb == event.Apply && w.state.Operation.Kind != RunOperation {
		delete(w.adopts, step)
	}
}

func (w *world) forgetAdoptions() {
	maps.DeleteFunc(w.adopts, func(address string, _ bool) bool { return w.step(address) == nil })
}

// checkAdoption: a step takes something over from when that was asked for until it succeeds.
func (w *world) checkAdoption(b StepWaiting) {
	n := w.step(b.Step)
	if b.Verb == event.Apply && w.state.Operation.Kind != PlanOperation {
		require.Equal(w.t, w.adopts[b.Step], n.Adopt != nil, "%s takes over %v", b.Step, n.Adopt)
	}
}
