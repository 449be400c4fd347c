package environment

import (
	"encoding/json"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// check holds what must be true of a single fact, seen from outside.
func (w *world) check(f Fact) {
	w.names.check(w, f)
	said := f
	f = w.names.identified(f)
	w.keeper.check(w, f)
	w.ledger.check(w, f)
	w.checkProtection(f)
	w.others.check(w, f)
	w.planner.check(w, said)
	w.parts.check(w, said)
	w.ruled(f)
	switch b := f.Body.(type) {
	case Created:
		if b.Adopts == nil {
			w.adopts = map[string]bool{} // made again by the calendar, say: what was to be taken over is no more
		}
	case StatusDeployed:
		w.forgetAdoptions() // also where an update of nothing has ended as it began
	case StepWaiting:
		w.checkAdoption(b)
		ability := w.executors[b.Step]
		if n := w.step(b.Step); n != nil {
			ability = n.ability()
		}
		if p := w.pools[ability]; p.Runners == 0 || (p.Open != nil && p.Open.Until.After(w.now)) {
			w.t.Fatalf("%s is offered to a pool that can't take it", b.Step)
		}
		if w.state.Operation.Paused {
			w.t.Fatalf("%s is offered while the operation is paused", b.Step)
		}
		for _, ref := range w.tasks {
			if ref.Step == b.Step && ref.Operation == b.Operation && w.now.Before(w.until[ref]) {
				w.t.Fatalf("%s is offered again while attempt %d is under way", b.Step, ref.Attempt)
			}
		}
		if o := w.state.Operation; o.Kind == RunOperation && (b.Step != w.names.identity(w.asked) || o.Before == DestroyFailed) {
			w.t.Fatalf("%s is offered, but only %s was asked for", b.Step, w.asked)
		}
		if looks := w.state.Operation.Kind.looks() || (w.ledger.doubts[b.Step] != nil && !w.idles(b)); looks != (b.Verb == event.Observe || (b.Verb == event.Propose && w.planner.doing == nil)) || (looks && b.Inputs != nil) {
			w.t.Fatalf("%s is offered for %s in an operation of kind %s", b.Step, b.Verb, w.state.Operation.Kind)
		}
		w.checkOrder(b)
		w.begin(b)
		if n, is := w.wanted(b.Step); b.Verb == event.Apply && is && n.Type == ResourceNode {
			w.inventory[b.Step] = true
		}
		w.offered[b.Step] = b
		w.drafts[b.Operation] = w.state.Operation.Kind == PlanOperation
		w.latest[w.counted(b.Operation, b.Step)] = b.Attempt
		ref := event.TaskRef{Environment: "sim", Operation: b.Operation, Step: b.Step, Attempt: b.Attempt, Epoch: w.epoch}
		w.tasks, w.until[ref] = append(w.tasks, ref), b.AcceptBefore
	case Finished:
		if b.Error != nil && b.Kind == RunOperation && b.Error.Code == fault.InputsUnresolved && w.state.partly() {
			w.t.Fatalf("an action counts as failed since %v", b.Error)
		}
	case StepUnchanged:
		w.stands(b.Step)
	case StepError:
		w.checkLatest(b.Operation, b.Step, b.Attempt)
	case StepComplete:
		w.checkLatest(b.Operation, b.Step, b.Attempt)
		if v := w.offered[b.Step].Verb; v == event.Observe || v == event.Propose {
			return // nothing has changed
		}
		if n := w.state.Step(b.Step); n != nil && n.passes() {
			return // nothing was done
		}
		if w.applied[b.Step] = w.offered[b.Step].Verb != event.Destruct; !w.applied[b.Step] {
			delete(w.inventory, b.Step)
		}
		w.tookOver(b.Step)
		w.made(b.Step)
		w.demanded = w.demanded || w.state.Operation.Kind == RunOperation
	}
}

// idles tells whether an action is validated that is to run on other occasions: a doubt of such a one is looked into when its time comes.
func (w *world) idles(b StepWaiting) bool {
	n := w.step(b.Step)
	return b.Verb == event.Validate && n.Type == ActionNode && !n.made()
}

// leaves tells that nothing is left of a node.
func (w *world) leaves(identity string) bool { return w.none[identity] }

// counted is under which name a step's attempts are counted: a plan has steps of its own, and what is planned counts on afterwards.
func (w *world) counted(operation, step string) string {
	if w.drafts[operation] {
		return "draft of " + step
	}
	return step
}

func (w *world) checkLatest(operation, step string, attempt int) {
	if latest := w.latest[w.counted(operation, step)]; attempt != 0 && attempt != latest {
		w.t.Fatalf("%s ends by attempt %d, but %d is the one under way", step, attempt, latest)
	}
}

// leased has a runner have what it was heard about for as long as the lease says, if it is its to have.
func (w *world) leased(ref event.TaskRef) {
	if n := w.step(ref.Step); n != nil && w.state.Busy() && ref.Operation == w.state.Operation.ID && w.latest[w.counted(ref.Operation, ref.Step)] == ref.Attempt && n.State == StateRunning && n.Runner == "r/1" {
		w.until[ref] = w.now.Add(w.decider.Policy().Lease)
	}
}

func (w *world) checkOrder(b StepWaiting) {
	n, _ := w.wanted(b.Step)
	switch b.Verb {
	case event.Apply:
		for _, d := range n.DependsOn {
			if !w.applied[w.names.identity(d)] && w.plan.nodes[d].made() {
				w.t.Fatalf("%s starts before %s is done", b.Step, d)
			}
		}
	case event.Destruct:
		w.keeps(b)
		if w.state.Operation.Force {
			return
		}
		for identity, on := range w.on {
			if on[b.Step] && !w.leaves(identity) && w.applied[identity] {
				w.t.Fatalf("%s is destroyed before %s, which stands on it", b.Step, identity)
			}
		}
		if w.state.Operation.Kind != DestroyOperation {
			return
		}
		for _, other := range w.plan.nodes {
			for _, d := range other.DependsOn {
				a := w.state.Step(other.Address)
				if w.names.identity(d) == b.Step && w.state.takesPart(a) && a.Verb == event.Apply && a.State != StateComplete && !w.state.goesBefore(w.state.index[d], w.state.index[a.Address]) {
					w.t.Fatalf("%s is destroyed, but the action %s has not run yet", b.Step, other.Address)
				}
			}
		}
	}
}

func (w *world) checkEnd() {
	if o := w.state.Operation; o.Kind == PlanOperation {
		if w.state.Status != o.Before && (o.Before != "" || w.state.Status != Planned) {
			w.t.Fatalf("after a plan, which changes nothing, the environment was %s and is %s", o.Before, w.state.Status)
		}
		require.Equal(w.t, w.before, w.own())
		return
	}
	if o := w.state.Operation; (o.Kind == RunOperation || o.Kind.looks()) && w.state.Status != o.Before {
		w.t.Fatalf("after a %s, which changes nothing, the environment was %s and is %s", o.Kind, o.Before, w.state.Status)
	}
	switch w.state.Status {
	case Destroyed:
		for _, n := range w.state.Nodes {
			if n.Type == ResourceNode && w.applied[n.ID()] && !w.left(n.ID()) {
				w.t.Fatalf("destroyed, but %s is still there", n.Address)
			}
		}
	case Deployed:
		w.checkDeployed()
	case Failed, DestroyFailed:
		require.NotNil(w.t, w.state.Error)
	default:
		w.t.Fatalf("an operation ended in status %q", w.state.Status)
	}
	for identity, there := range w.applied {
		if n := w.step(identity); there && (n == nil || !n.Exists) && (n == nil || n.Type == ResourceNode) && !w.leaves(identity) && !w.left(identity) {
			w.t.Fatalf("%s is there, and nobody knows of it", identity)
		}
	}
}

// checkDeployed: what is there is what a create of what is wanted now would have made, and nothing else.
func (w *world) checkDeployed() {
	require.Len(w.t, w.state.Nodes, len(w.plan.nodes))
	if w.state.Operation.Groups == nil {
		w.demanded = w.demanded && w.state.Operation.Kind != UpdateOperation
	}
	for address, node := range w.plan.nodes {
		n := w.state.Step(address)
		require.NotNil(w.t, n, address)
		if w.healing && w.state.Operation.Kind == UpdateOperation && n.Drift.Off() {
			w.t.Fatalf("healed, but %s is as it was found", address)
		}
		if n.Down {
			require.False(w.t, w.applied[n.ID()] && n.Type == ResourceNode, "%s is down, and is there", address)
			continue
		}
		if !w.applied[n.ID()] && (n.made() || n.Probed) {
			w.t.Fatalf("deployed, but %s is not there", address)
		}
		if node.Type != ResourceNode || (w.demanded && (w.state.Operation.Kind != UpdateOperation || w.state.Operation.Groups != nil)) {
			continue // what an action was given then is not looked at again, nor what it puts out on demand
		}
		if w.others.moved && len(node.Consumes) > 0 {
			continue // the next update sees it
		}
		in, err := consuming{w.plan, w.others.supply}.Inputs(address, w.state.OutputsOf)
		require.NoError(w.t, err)
		require.Equal(w.t, string(in.Data), w.given[n.ID()], "%s is not as it should be", address)
	}
	for identity, there := range w.applied {
		if _, wanted := w.wanted(identity); there && !wanted && !w.leaves(identity) && !w.left(identity) {
			w.t.Fatalf("deployed, but %s is still there", identity)
		}
	}
}

// begin remembers what a resource stands on from the moment that somebody may be making it.
func (w *world) begin(b StepWaiting) {
	if b.Verb != event.Apply {
		return
	}
	n, _ := w.wanted(b.Step)
	if w.on[b.Step] == nil || !w.applied[b.Step] {
		w.on[b.Step] = map[string]bool{}
	}
	for _, d := range n.DependsOn {
		w.on[b.Step][w.names.identity(d)] = true
	}
}

func (w *world) made(step string) {
	w.on[step] = map[string]bool{}
	if w.offered[step].Verb == event.Destruct {
		return
	}
	if w.offered[step].Verb == event.Apply {
		w.given[step] = string(w.offered[step].Inputs)
	}
	n, _ := w.wanted(step)
	w.none[step] = n.Type != ResourceNode
	w.stands(step)
}

// stands: what is as it is to be stands on what it depends on now. It may be what it was before, and be given the same by another
// one.
func (w *world) stands(step string) {
	n, _ := w.wanted(step)
	w.on[step] = map[string]bool{}
	for _, d := range n.DependsOn {
		w.on[step][w.names.identity(d)] = true
	}
}

// replay checks that the facts alone, and a snapshot, lead to the same state.
func (w *world) replay() {
	again := NewState("sim")
	for _, f := range w.facts {
		data, err := json.Marshal(f.Body)
		require.NoError(w.t, err)
		body, err := DecodeBody(f.Body.Type(), data)
		require.NoError(w.t, err)
		require.NoError(w.t, Evolve(again, Fact{At: f.At, Body: body}))
	}
	want, err := w.state.Snapshot()
	require.NoError(w.t, err)
	got, err := again.Snapshot()
	require.NoError(w.t, err)
	restored, err := Restore(want)
	require.NoError(w.t, err)
	twice, err := restored.Snapshot()
	require.NoError(w.t, err)
	require.JSONEq(w.t, string(want), string(got))
	require.JSONEq(w.t, string(want), string(twice))
}

// own is all that a plan has to leave alone.
func (w *world) own() string {
	var nodes []*Step
	for _, n := range w.state.real() {
		one := *n
		one.Health = nil // it goes on being watched
		nodes = append(nodes, &one)
	}
	data, err := json.Marshal(struct {
		Nodes       []*Step
		Parameters  map[string]json.RawMessage
		Outputs     json.RawMessage
		Entrypoints []Entrypoint
		Error       *fault.Error
	}{nodes, w.state.Parameters, w.state.Outputs, w.state.Entrypoints, w.state.Error})
	require.NoError(w.t, err)
	return string(data)
}
