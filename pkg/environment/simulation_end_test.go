package environment

import (
	"encoding/json"
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
)

// finish lets what runs, or waits to, come to its end: every operation ends once tasks are answered or have lapsed.
func (w *world) finish() {
	if w.state.Busy() && w.state.Operation.Paused {
		w.decide(ResumeInput{CommandMeta: w.meta()})
	}
	for round := 0; w.state.Busy() || w.state.Queued != nil; round++ {
		require.Less(w.t, round, 2000, "the operation does not end")
		w.answer()
		w.clear(true)
		w.agree()
		w.answer()
		if w.state.Busy() {
			w.elapse()
		}
		w.beginQueued()
	}
}

// answer has all tasks end, and those that follow.
func (w *world) answer() {
	for len(w.tasks) > 0 {
		w.decide(w.resultOf(w.take(0)))
	}
}

// agree has everybody approve of what waits, once nothing fails any more; nobody may approve alone of what asks for two.
func (w *world) agree() {
	for _, who := range people {
		if r := w.state.awaiting(); !w.sound || r == nil {
			return
		}
		w.decide(ApproveInput{CommandMeta: w.of(who)})
	}
}

// of is a command of somebody.
func (w *world) of(who string) CommandMeta {
	meta := w.meta()
	meta.RequestedBy = who
	return meta
}

// converge has nothing fail any more, and people go on until what was wanted last is there: then it is what a create of it
// would have made, and nothing else. Destroyed, nothing is left of it but what was to be left.
func (w *world) converge() {
	w.sound = true
	w.peace()
	for round := 0; w.state.Status == Failed || w.state.Status == DestroyFailed; round++ {
		require.Less(w.t, round, 10, "%s, and nothing helps: %v", w.state.Status, w.state.Error)
		require.True(w.t, w.decide(RetryInput{CommandMeta: w.of("/a")}).Accepted)
		w.finish()
	}
	if !w.state.Exists() {
		w.nothing()
		w.create(CreateInput{CommandMeta: w.of("/a"), Resolved: w.resolved()})
		w.finish()
	}
	require.Equal(w.t, Deployed, w.state.Status, "%v", w.state.Error)
	if !w.demanded && !w.others.moved && !w.state.partly() && !slices.ContainsFunc(w.state.Nodes, func(n *Step) bool { return n.Drift.Off() }) {
		w.asCreated()
	}
	w.wish(w.plan.order, true)
	w.asCreated()
	w.bringDown()
}

// peace is what people do before they mend something: nobody keeps others from it.
func (w *world) peace() {
	for _, name := range []string{"alpha", "beta"} {
		if r := w.others.records[name]; !r.Supply("o").Ready || r.Supply("o").Value == nil {
			w.others.records[name], w.others.moved = Record{Name: name, Status: Deployed, Outputs: json.RawMessage(`{"o":"0"}`), Sources: map[string][]string{"o": {"t.x.o"}}}, true
		}
	}
	if w.state.Lock != nil {
		w.locked = false
		w.decide(UnlockInput{CommandMeta: w.meta()})
	}
}

// wish updates to a graph, and sees that through.
func (w *world) wish(nodes []Node, heal bool) {
	w.plan = echo{nodes: map[string]Node{}, order: nodes, rules: w.plan.rules}
	for _, n := range nodes {
		w.plan.nodes[n.Address] = n
	}
	plan := w.plan
	w.origin = nil
	w.revision(UpdateInput{CommandMeta: w.of("/a"), Update: event.Update{Heal: heal}, Resolved: Resolved{Nodes: nodes}}, true, w.plan)
	w.finish()
	require.Equal(w.t, Deployed, w.state.Status, "%v", w.state.Error)
	require.Equal(w.t, plan.nodes, w.plan.nodes)
}

// bringDown lets it be destroyed, and has that done.
func (w *world) bringDown() {
	open := slices.Clone(w.plan.order)
	for i := range open {
		open[i].PreventDestroy = false
	}
	w.wish(open, false)
	w.others.despite = true
	require.True(w.t, w.decide(DestroyInput{CommandMeta: w.of("/a"), Destroy: event.Destroy{DespiteConsumers: true}}).Accepted)
	w.finish()
	require.Equal(w.t, Destroyed, w.state.Status, "%v", w.state.Error)
	w.nothing()
}

// nothing is there but what was left where it is, on purpose.
func (w *world) nothing() {
	for identity, there := range w.inventory {
		require.True(w.t, !there || w.left(identity), "%s is there, and nobody has it", identity)
	}
}

// watched has those who watch say that all is well, as it is by now.
func (w *world) watched() {
	for _, n := range w.state.Nodes {
		if n.Health == nil || n.Health.Status == event.Healthy {
			continue
		}
		w.now = w.now.Add(n.Health.hold())
		w.sequence++
		w.decide(HealthInput{event.ResourceHealth{Environment: "sim", Step: n.ID(), Operation: n.Operation, Runner: "r/1", Sequence: w.sequence,
			Epoch: w.epoch, Status: event.Healthy}})
	}
}

// asCreated compares with what a create of the same graph makes in a world that is the same.
func (w *world) asCreated() {
	w.watched()
	made, around, nodes := NewState("sim"), Surroundings{Resolver: &w.plan, Consumed: w.others.supply}, slices.Clone(w.plan.order)
	for i := range nodes {
		nodes[i].Identity = "" // a graph of the past has those of then
	}
	d := w.decider.Decide(made, around, CreateInput{Resolved: Resolved{Nodes: nodes}}, w.now)
	for facts := d.Facts; len(facts) > 0; {
		var next []Fact
		for _, f := range facts {
			if b, offer := f.Body.(StepWaiting); offer {
				r := event.Result{TaskRef: event.TaskRef{Operation: b.Operation, Step: b.Step, Attempt: b.Attempt, Epoch: w.epoch}, Outputs: w.state.Step(b.Step).Outputs}
				next = append(next, w.decider.Decide(made, around, ResultInput{r}, w.now).Facts...)
			}
		}
		facts = next
	}
	require.Equal(w.t, Deployed, made.Status, "%v", made.Error)
	require.Equal(w.t, made.whole(), w.state.whole())
	require.Len(w.t, w.state.Nodes, len(made.Nodes))
	for i, n := range made.Nodes {
		require.Equal(w.t, n.lasting(), w.state.Step(n.Address).lasting(), "node %d", i)
	}
	for identity, there := range w.inventory {
		n := w.step(identity)
		require.True(w.t, !there || (n != nil && n.Exists) || w.left(identity), "%s is there, and nobody has it", identity)
	}
}

// whole is what an environment is, whatever has led to that.
func (s *State) whole() any {
	return struct {
		Status                    Status
		Error, Lock, Queued, Held any
		Outputs, Entrypoints      any
		Partly                    bool
	}{s.Status, s.Error, s.Lock, s.Queued, s.DestroyHeld, string(s.Outputs), s.Entrypoints, s.partly()}
}

// lasting is what a node is, whatever has led to that. When an action ran, and what came of that, is of the past; so is whether it did
// when somebody asked for it.
func (n *Step) lasting() any {
	is := struct {
		Node                               Node
		Status                             Status
		Exists                             bool
		Inputs, Outputs, Applied, Endpoint string
		Health                             event.HealthStatus
		Stands                             []string
		Unsettled                          map[string]bool
	}{Node: n.Node, Stands: n.Stands, Unsettled: map[string]bool{"stale": n.Stale, "due": n.Due, "doomed": n.Doomed, "down": n.Down, "off": n.Drift.Off(),
		"in doubt": n.Doubt != nil && (n.Type == ResourceNode || n.lacks()), "to be adopted": n.Adopt != nil, "looking": n.Looking, "asked about": n.Asked != nil}}
	is.Node.Identity = ""
	if n.Endpoint != nil {
		is.Endpoint = n.Endpoint.URL
	}
	if n.Health != nil {
		is.Health = n.Health.Status
	}
	if n.Type == ActionNode {
		is.Node.Consumes = slices.Clone(n.Consumes)
		for i := range is.Node.Consumes {
			is.Node.Consumes[i].Resources = nil
		}
	} else {
		is.Status, is.Exists, is.Inputs, is.Outputs, is.Applied = n.Status, n.Exists, string(n.Inputs), string(n.Outputs), n.Applied
	}
	return is
}
