package environment

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
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

// world drives a decider as server, bus and runners would, with everything that can go wrong between them.
type world struct {
	t         *rapid.T
	decider   *Decider
	state     *State
	plan      echo
	now       time.Time
	facts     []Fact
	tasks     []event.TaskRef             // offered, and neither finished nor forgotten by the runners
	until     map[event.TaskRef]time.Time // when an offer, or the lease of whoever has taken it, runs out
	old       []event.TaskRef             // ended in some way; may still be spoken of
	applied   map[string]bool             // what is really there
	offered   map[string]StepWaiting      // the last offer of each step
	executors map[string]string
	kinds     []NodeType                 // by number
	given     map[string]string          // what the last apply that ended well got
	on        map[string]map[string]bool // what it really stands on, since it was begun with that
	latest    map[string]int             // attempt last offered of each step
	command   int
	pools     map[string]Pool // what is known of the runners, by executor
	none      map[string]bool // identities of what leaves nothing
	asked     string          // the action that was asked for last
	demanded  bool            // an action was run on demand since all was applied
	healing   bool            // the update that was taken last
	before    string          // what the plan that was asked for last has to leave alone
	past      [][]Node        // what it was to be after each operation that changed that, in this life
	origin    *Origin         // of the create or update that was asked for last
	adopts    map[string]bool // what is to be taken over, and has not been
	keeper    *keeper
	others    *others
	taken     *taken
	planner   *planner
	ledger    ledger
	epoch     uint64
	repeats   []bool // which nodes are idempotent, by number
	turned    bool   // the plan is what a kept plan was made of
	names     names
	sequence  uint64 // of what is reported on endpoints
	locked    bool   // before what is being decided on
	calm      bool   // nothing fails just now
	sound     bool   // nothing fails any more
	parts     parts
	inventory map[string]bool // what may be there: resources of which an apply was offered, and no destroy has ended well since
}

func newWorld(t *rapid.T) *world {
	return &world{t: t, decider: NewDecider(Policy{Parallelism: rapid.IntRange(1, 6).Draw(t, "limit")}),
		state: NewState("sim"), keeper: newKeeper(), others: newOthers(), parts: parts{paused: map[string]bool{}, done: map[string]bool{}}, planner: newPlanner(), names: names{of: map[string]string{}}, now: time.Unix(1_700_000_000, 0).UTC(), applied: map[string]bool{}, latest: map[string]int{}, until: map[event.TaskRef]time.Time{}, inventory: map[string]bool{},
		offered: map[string]StepWaiting{}, executors: map[string]string{}, none: map[string]bool{}, given: map[string]string{}, on: map[string]map[string]bool{},
		ledger: ledger{doubts: map[string]*effect{}}, repeats: rapid.SliceOfN(rapid.Bool(), 14, 14).Draw(t, "idempotent"),
		pools: map[string]Pool{"x": {Runners: 1, Concurrency: 2}, "y": {Runners: 2, Concurrency: 9}},
		kinds: rapid.SliceOfN(rapid.SampledFrom([]NodeType{ResourceNode, ResourceNode, ResourceNode, ResourceNode, ActionNode, StatusNode}), 14, 14).Draw(t, "kinds")}
}

func (w *world) around() Surroundings {
	return w.allKinds(Surroundings{Resolver: &w.plan, Before: w.former(), Pool: func(_, executor string) Pool { return w.pools[executor] }, State: w.keeper.ask(w), Consumed: w.others.supply,
		Again: w.again, Hold: w.ledger.hold, Uses: w.others.uses})
}

// drawPool lets runners come and go, and breakers open and close.
func (w *world) drawPool() {
	p := Pool{Runners: rapid.IntRange(0, 2).Draw(w.t, "runners"), Concurrency: rapid.IntRange(1, 3).Draw(w.t, "concurrency")}
	if rapid.IntRange(0, 3).Draw(w.t, "open") == 0 {
		p.Open = &event.Breaker{Target: "vault", Until: w.now.Add(10 * time.Second)}
	}
	w.pools[rapid.SampledFrom([]string{"x", "y"}).Draw(w.t, "executor")] = p
}

// executor and kind are of the address, in which both are named.
func (w *world) executor(i int) string {
	name := []string{"x", "y"}[i*7%3%2]
	w.executors[fmt.Sprintf("t.x.n%d", i)] = name
	return name
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

func (w *world) decide(in Input) *event.Answer {
	before := w.state.Busy()
	w.others.before = w.state.Status
	if _, is := in.(DestroyInput); !is {
		_, w.others.despite = in.(RetryInput) // it goes on with what was begun, and whose outputs are gone
	}
	w.locked = w.state.Lock != nil
	plan := w.plan
	w.turned = false
	if !before {
		w.before = w.own()
	}
	d := w.decider.Decide(w.state, w.around(), in, w.now)
	if w.turned && !slices.ContainsFunc(d.Facts, func(f Fact) bool { t := f.Body.Type(); return t == (Created{}).Type() || t == (Updated{}).Type() }) {
		w.plan = plan
	}
	for _, f := range d.Facts {
		w.check(f)
	}
	w.facts = append(w.facts, d.Facts...)
	w.planner.store(w)
	if w.state.Operation != nil && len(w.state.Operation.Flight) > w.state.Operation.Parallelism {
		w.t.Fatalf("%d steps in flight, the limit is %d", len(w.state.Operation.Flight), w.state.Operation.Parallelism)
	}
	if before && !w.state.Busy() {
		w.checkEnd()
	}
	w.taken.count(in, d.Answer)
	return d.Answer
}

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
		if looks := w.state.Operation.Kind.looks() || w.ledger.doubts[b.Step] != nil; looks != (b.Verb == event.Observe || (b.Verb == event.Propose && w.planner.doing == nil)) || (looks && b.Inputs != nil) {
			w.t.Fatalf("%s is offered for %s in an operation of kind %s", b.Step, b.Verb, w.state.Operation.Kind)
		}
		w.checkOrder(b)
		w.begin(b)
		if n, is := w.wanted(b.Step); b.Verb == event.Apply && is && n.Type == ResourceNode {
			w.inventory[b.Step] = true
		}
		w.offered[b.Step] = b
		w.latest[b.Step] = b.Attempt
		ref := event.TaskRef{Environment: "sim", Operation: b.Operation, Step: b.Step, Attempt: b.Attempt, Epoch: w.epoch}
		w.tasks, w.until[ref] = append(w.tasks, ref), b.AcceptBefore
	case Finished:
		if b.Error != nil && b.Kind == RunOperation && b.Error.Code == fault.InputsUnresolved && w.state.partly() {
			w.t.Fatalf("an action counts as failed since %v", b.Error)
		}
	case StepUnchanged:
		w.stands(b.Step)
	case StepError:
		w.checkLatest(b.Step, b.Attempt)
	case ResourceObserved:
		w.checkLatest(b.Step, w.latest[b.Step])
	case StepComplete:
		w.checkLatest(b.Step, b.Attempt)
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

// leaves tells that nothing is left of a node.
func (w *world) leaves(identity string) bool { return w.none[identity] }

func (w *world) checkLatest(step string, attempt int) {
	if latest := w.latest[step]; attempt != 0 && attempt != latest {
		w.t.Fatalf("%s ends by attempt %d, but %d is the one under way", step, attempt, latest)
	}
}

// leased has a runner have what it was heard about for as long as the lease says, if it is its to have.
func (w *world) leased(ref event.TaskRef) {
	if n := w.step(ref.Step); n != nil && w.state.Busy() && ref.Operation == w.state.Operation.ID && w.latest[ref.Step] == ref.Attempt && n.State == StateRunning && n.Runner == "r/1" {
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
				if a := w.state.Step(other.Address); w.names.identity(d) == b.Step && w.state.takesPart(a) && a.Verb == event.Apply && a.State != StateComplete {
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
	w.forgetAdoptions()
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

func (w *world) meta() CommandMeta {
	w.command++
	return CommandMeta{CommandID: fmt.Sprintf("c%d", w.command)}
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

func (w *world) take(i int) event.TaskRef {
	ref := w.tasks[i]
	w.tasks = append(w.tasks[:i], w.tasks[i+1:]...)
	w.old = append(w.old, ref)
	return ref
}

func (w *world) resultOf(ref event.TaskRef) ResultInput {
	r := event.Result{TaskRef: ref, Runner: "r/1", StartedAt: w.now, FinishedAt: w.now, Outputs: json.RawMessage(`{"a":1}`)}
	if n := w.step(ref.Step); n != nil && rapid.Bool().Draw(w.t, "tells") {
		r.Outputs, _ = json.Marshal(map[string]string{"a": string(n.Inputs)}) // what depends on it changes too
	}
	if w.offered[ref.Step].Verb == event.Observe && w.offered[ref.Step].Attempt == ref.Attempt {
		r.Outputs = nil
		r.Observation = rapid.SampledFrom([]*event.Observation{nil, {Presence: event.Present}, {Presence: event.Absent},
			{Presence: event.Present, Drifted: true, Differences: []event.Difference{{Path: "a", Change: event.ChangeUpdate}}}}).Draw(w.t, "found")
	}
	if e := w.ledger.doubts[ref.Step]; e != nil && r.Observation != nil {
		r.Observation = w.sight(ref.Step)
	}
	if w.offered[ref.Step].Verb == event.Propose {
		r.Outputs = nil
		w.proposition(&r)
	}
	if w.sound || w.calm {
		return ResultInput{r}
	}
	switch rapid.IntRange(0, 11).Draw(w.t, "outcome") {
	case 0:
		r.Error = fault.New(fault.GiveUp, fault.ExecutorFailed, "broken")
	case 3:
		r.Error = fault.New(fault.Retry, fault.RunnerLost, "let go")
	case 4:
		soon := w.now.Add(3 * time.Second)
		r.Error, r.NotBefore = fault.New(fault.Wait, fault.BreakerOpen, "away"), &soon
	case 1, 2:
		r.Error = fault.New(fault.Retry, fault.ExecutorFailed, "shaky")
	}
	return ResultInput{r}
}

func (w *world) act() {
	w.now = w.now.Add(time.Duration(rapid.IntRange(0, 3000).Draw(w.t, "ms")) * time.Millisecond)
	pick := func(list []event.TaskRef) int { return rapid.IntRange(0, len(list)-1).Draw(w.t, "task") }
	if w.attend() {
		return
	}
	switch what := rapid.IntRange(0, 31).Draw(w.t, "what"); {
	case what == 28:
		w.lock()
	case what == 30 && w.state.Next != (Appointments{}) && rapid.Bool().Draw(w.t, "its hours come"):
		w.elapse()
	case what == 21 && len(w.state.Nodes) > 0:
		w.seen()
	case what == 29:
		w.schedule()
	case what == 30:
		w.others.move(w)
		w.decide(TickInput{})
	case what == 31 && rapid.Bool().Draw(w.t, "at leisure"):
		w.settle()
		w.propose()
		w.settle()
		w.carryOut()
	case what == 31 && rapid.Bool().Draw(w.t, "judges"):
		w.judge()
	case what == 31:
		w.carryOut()
	case what == 27 && rapid.Bool().Draw(w.t, "plans"):
		w.propose()
	case what == 27:
		w.look()
	case what == 26 && rapid.IntRange(0, 2).Draw(w.t, "takes over") == 0:
		w.promote()
	case what == 25 && w.ledger.hold != nil:
		w.ledger.hold = nil
	case what == 25 && rapid.Bool().Draw(w.t, "settles"):
		w.clear(false)
	case what >= 25:
		w.update()
	case what == 1 && rapid.Bool().Draw(w.t, "in part"):
		w.part()
	case what <= 1:
		w.create(CreateInput{CommandMeta: w.meta(), Create: event.Create{FailFast: rapid.Bool().Draw(w.t, "failfast"), Approval: w.drawRule()}, Resolved: w.resolved()})
	case what == 2 && rapid.Bool().Draw(w.t, "later"):
		w.enqueue()
	case what == 2 && rapid.Bool().Draw(w.t, "in part"):
		w.destroyPart()
	case what == 2:
		w.decide(DestroyInput{CommandMeta: w.meta(), Destroy: event.Destroy{Force: rapid.Bool().Draw(w.t, "force"), DespiteConsumers: w.others.drawDespite(w)}})
	case what == 3 && rapid.Bool().Draw(w.t, "really"):
		w.decide(CancelInput{CommandMeta: w.meta()})
	case what == 4 && w.command > 0:
		answer := w.decide(DestroyInput{CommandMeta: CommandMeta{CommandID: fmt.Sprintf("c%d", rapid.IntRange(1, w.command).Draw(w.t, "old"))}})
		require.True(w.t, answer.Duplicate)
	case what == 5 && len(w.old) > 0:
		w.decide(w.resultOf(w.old[pick(w.old)])) // late, or a second copy
	case what == 6 && len(w.tasks) > 0:
		ref := w.tasks[pick(w.tasks)]
		w.decide(AcceptedInput{event.Accepted{TaskRef: ref, Runner: "r/1", StartedAt: w.now}})
		w.leased(ref)
	case what == 7 && len(w.tasks) > 0:
		w.decide(RefusedInput{event.Refused{TaskRef: w.take(pick(w.tasks)), Runner: "r/2", Code: rapid.SampledFrom([]fault.Code{fault.Cancelled, "redelivered", fault.ExecutorUnknown}).Draw(w.t, "code")}})
	case what == 8 && len(w.tasks) > 0:
		w.take(pick(w.tasks)) // its runner dies
	case what == 9:
		w.elapse()
	case what == 10:
		w.old = append(w.old, w.tasks...)
		w.tasks = nil
		w.decide(RunnerStartedInput{Name: "r", Runner: "r/3"})
	case what == 11:
		w.drawPool()
		w.decide(TickInput{})
	case what == 12:
		w.decide(RetryInput{CommandMeta: w.meta(), Retry: event.Retry{FailFast: rapid.Bool().Draw(w.t, "failfast")}})
	case what == 13 && w.state.Operation != nil && w.state.Operation.Paused:
		w.decide(ResumeInput{CommandMeta: w.meta()})
	case what == 13 && rapid.Bool().Draw(w.t, "really"):
		w.decide(PauseInput{CommandMeta: w.meta()})
	case what == 20 && len(w.state.Nodes) > 0:
		w.report(rapid.SampledFrom(w.state.Nodes).Draw(w.t, "watched"))
	case what == 15 && len(w.state.Nodes) > 0:
		w.run(rapid.SampledFrom(w.state.Nodes).Draw(w.t, "action"))
	case what == 14 && len(w.tasks) > 0:
		ref := w.tasks[pick(w.tasks)]
		w.decide(HeartbeatInput{Runner: "r/1", TaskRef: ref, Progress: &event.Progress{Done: rapid.IntRange(0, 3).Draw(w.t, "done")}})
		w.leased(ref)
	case (what == 16 || what > 21) && len(w.tasks) > 0:
		w.decide(w.keeper.save(w, w.tasks[pick(w.tasks)]))
	case what == 17 && len(w.old) > 0:
		w.decide(w.keeper.save(w, w.old[pick(w.old)])) // of a runner that was given up, or that has told its result
	case what == 18 && len(w.keeper.sent) > 0:
		w.decide(rapid.SampledFrom(w.keeper.sent).Draw(w.t, "copy"))
	case len(w.tasks) > 0:
		w.decide(w.resultOf(w.take(pick(w.tasks))))
	}
}

// report says how something stands; only what is watched, of the right operation, is believed, and only what is new.
func (w *world) report(n *Step) {
	w.sequence++
	in := event.ResourceHealth{Environment: "sim", Step: n.ID(), Operation: n.Operation, Runner: "r/1", Sequence: w.sequence, Epoch: w.epoch,
		Status: rapid.SampledFrom(event.HealthStatuses()).Draw(w.t, "health")}
	if rapid.IntRange(0, 5).Draw(w.t, "stale") == 0 {
		in.Operation = "op-0"
	}
	was, facts := n.Health, len(w.facts)
	watched := w.state.Watched() && was != nil && in.Operation == n.Operation
	w.decide(HealthInput{in})
	taken := slices.ContainsFunc(w.facts[facts:], func(f Fact) bool { return f.Body.Type() == (ResourceHealth{}).Type() })
	if taken && (!watched || was.Status == in.Status || w.now.Sub(was.Since) < was.hold()) {
		w.t.Fatalf("%s: %v was taken where it was %v", n.Address, in, was)
	}
	if watched && was.hold() == 0 && was.Status != in.Status {
		require.Equal(w.t, in.Status, n.Health.Status)
	}
}

// run asks for an action; what it was before, the environment is again at the end.
func (w *world) run(n *Step) {
	before, busy := w.state.Status, w.state.Busy()
	asked := w.asked
	w.asked = n.Address
	a := w.decide(RunInput{CommandMeta: w.meta(), Run: event.Run{Action: n.Address}})
	may := !busy && (before == Deployed || before == Failed) && n.RunsOn(OnDemand) && !n.Down && w.state.Lock == nil
	require.Equal(w.t, may, a.Accepted, "%s of an environment that is %s", n.Address, before)
	if !a.Accepted {
		w.asked = asked
	}
}

// propose asks for a plan, and what is there has to be left alone by that.
func (w *world) propose() {
	in := PlanInput{CommandMeta: w.meta(), Proposal: event.Proposal{Destroy: rapid.Bool().Draw(w.t, "destroy"), Heal: rapid.Bool().Draw(w.t, "heal")}}
	before, status, busy, exists := w.plan, w.state.Status, w.state.Busy(), w.state.Exists()
	executors := maps.Clone(w.executors)
	switch {
	case busy || in.Destroy:
	case !exists:
		in.Nodes = w.graph()
	default:
		in.Nodes, in.Moves = w.move(w.mutate())
	}
	if !busy && !in.Destroy {
		in.Resolved.Templates, in.Resolved.Approvals = w.planner.think(w.plan), w.plan.rules
	}
	if !busy {
		w.before = w.own()
	}
	identified, _ := w.state.identify(in.Nodes, in.Moves)
	protects := w.state.keeps(identified) != nil
	answer := w.decide(in)
	w.plan = before
	maps.Copy(w.executors, executors)
	require.Equal(w.t, !busy && (exists || !in.Destroy) && (in.Destroy || status != DestroyFailed) && !protects, answer.Accepted, "%+v of what is %q", answer.Error, status)
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

// look asks for a look at all, or at one that may not be there.
func (w *world) look() {
	in := CheckInput{CommandMeta: w.meta()}
	may := !w.state.Busy() && (w.state.Status == Deployed || w.state.Status == Failed)
	if len(w.state.Nodes) > 0 && rapid.IntRange(0, 2).Draw(w.t, "one") == 0 {
		n := rapid.SampledFrom(w.state.Nodes).Draw(w.t, "resource")
		in.Resources = []string{n.Address}
		may = may && n.Type == ResourceNode && n.Exists
	}
	require.Equal(w.t, may, w.decide(in).Accepted, "%v of an environment that is %s", in.Resources, w.state.Status)
}

// update draws a graph, or what one change makes of the present one.
func (w *world) update() {
	in := UpdateInput{CommandMeta: w.meta(), Update: event.Update{FailFast: rapid.Bool().Draw(w.t, "failfast"), Heal: rapid.Bool().Draw(w.t, "heal")}}
	before := w.plan
	may := w.state.Exists() && !w.state.Busy() && w.state.Status != DestroyFailed
	if may {
		in.Nodes, in.Moves = w.move(w.mutate())
	}
	in.Approval = w.drawRule()
	in.RequestedBy = rapid.SampledFrom(people).Draw(w.t, "asker")
	w.revision(w.revise(in, may), may, before)
}

// revision asks for what makes the environment another one, or leaves it as it was.
func (w *world) revision(asked Input, may bool, before echo) {
	if may {
		asked = w.think(asked)
	}
	if answer := w.takeOver(asked); !answer.Accepted {
		w.plan = before
	} else if w.state.Operation.Kind != UpdateOperation {
		w.plan = before // it waits, or is being planned
	} else if !w.planner.byPlan {
		w.revised(resolvedOf(asked))
	}
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

// elapse lets every lease and offer run out: what the runners held is no longer theirs.
func (w *world) elapse() {
	for range 2 { // the first tick grants leases that a loaded state does not have
		w.old = append(w.old, w.tasks...)
		w.tasks = nil
		w.now = w.now.Add(5 * time.Minute)
		w.decide(TickInput{})
	}
}

func TestSimulation(t *testing.T) {
	c := &taken{counts: map[string]int{}}
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		w.taken, c.sequences = c, c.sequences+1
		w.create(CreateInput{CommandMeta: w.meta(), Create: event.Create{Approval: w.drawRule()}, Resolved: w.resolved()})
		for range rapid.IntRange(0, 60).Draw(t, "acts") {
			w.act()
			w.beginQueued()
			if rapid.IntRange(0, 9).Draw(t, "reload") == 0 {
				data, err := w.state.Snapshot()
				require.NoError(t, err)
				w.state, err = Restore(data)
				require.NoError(t, err)
			}
		}
		w.taken = nil // what follows is always the same
		w.others.settle()
		w.quiet()
		w.pools = map[string]Pool{"x": {Runners: 1, Concurrency: 2}, "y": {Runners: 1, Concurrency: 2}}
		w.resumeParts()
		w.ledger.hold = nil
		w.finish()
		w.converge()
		w.replay()
		sameHowever(t, "sim", w.facts)
	})
	c.all(t)
}
