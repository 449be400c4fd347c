package environment

import (
	"encoding/json"
	"fmt"

	"pgregory.net/rapid"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// others are the environments around that of the simulation, whose outputs come, change and go.
type others struct {
	records map[string]Record
	moved   bool // something of them has changed since what is there was decided on
	used    bool // one of them uses this environment
	despite bool // the destroy that was asked for last does not mind
	before  Status
}

func newOthers() *others { return &others{records: map[string]Record{}} }

func (o *others) supply(name, output string) Supply {
	if r, there := o.records[name]; there {
		return r.Supply(output)
	}
	return Supply{}
}

// draw lets a node use another environment, and makes an endpoint one that only hands on what another one puts out.
func (o *others) draw(w *world, n *Node) {
	n.Consumes = nil
	for _, name := range []string{"alpha", "beta"} {
		if rapid.IntRange(0, 7).Draw(w.t, "uses "+name) == 0 {
			n.Consumes = append(n.Consumes, Consumption{Environment: name, Output: "o"})
		}
	}
	if n.Type == StatusNode && n.Consumes != nil {
		n.Executor, n.Probed, n.Probe = ServerExecutor, false, ""
	} else if n.Type == StatusNode {
		if n.Executor, n.Probed = w.executors[n.Address], true; n.Executor == ServerExecutor {
			n.Executor = "x" // it has got its address when it only handed on
		}
	}
}

func (o *others) uses(string) []Consumer {
	if o.used {
		return []Consumer{{Environment: "alpha", Address: "t.x.a", Output: "o"}}
	}
	return nil
}

func (o *others) drawDespite(w *world) bool {
	o.despite = rapid.Bool().Draw(w.t, "despite")
	return o.despite
}

func (o *others) move(w *world) {
	o.moved = true
	w.planner.shake()
	o.used = rapid.IntRange(0, 4).Draw(w.t, "is used") == 0
	name := rapid.SampledFrom([]string{"alpha", "beta"}).Draw(w.t, "other")
	r := Record{Name: name, Sources: map[string][]string{"o": {"t.x.o"}}}
	switch rapid.IntRange(0, 9).Draw(w.t, "becomes") {
	case 0:
		delete(o.records, name)
		return
	case 1:
		r.Status = Deploying
	case 2:
		r.Status, r.Error = Failed, fault.New(fault.GiveUp, fault.ExecutorFailed, "broken")
	case 3:
		r.Status, r.Outputs = Deployed, json.RawMessage(`{"p":1}`)
	default:
		r.Status, r.Outputs = Deployed, json.RawMessage(fmt.Sprintf(`{"o":"%d"}`, rapid.IntRange(0, 2).Draw(w.t, "value")))
	}
	o.records[name] = r
}

// settle has all of them deployed, so that nothing has to wait any more.
func (o *others) settle() {
	o.used = false
	for _, name := range []string{"alpha", "beta"} {
		if r := o.records[name]; !r.Supply("o").Ready {
			o.records[name], o.moved = Record{Name: name, Status: Deployed, Outputs: json.RawMessage(`{"o":"0"}`), Sources: map[string][]string{"o": {"t.x.o"}}}, true
		}
	}
}

func (o *others) check(w *world, f Fact) {
	switch b := f.Body.(type) {
	case Created, Updated:
		o.moved = false
	case StatusDestroying:
		ordered := w.planner.order
		despite := o.despite || (b.Plan != "" && ordered != nil && (ordered.Retry != nil || (ordered.Destroy != nil && ordered.Destroy.DespiteConsumers)))
		if o.used && o.before != DestroyFailed && (b.Planned || !despite) {
			w.t.Fatalf("what others use is destroyed")
		}
	case StepWaiting:
		if b.Verb == event.Apply || b.Verb == event.Validate {
			o.checkUsed(w, b.Step, b.Consumed)
		}
	case StepComplete:
		if n := w.step(b.Step); n != nil && n.passes() {
			o.checkUsed(w, b.Step, b.Consumed)
		}
	case Held:
		if b.Reason != nil && b.Environment != "" && o.supply(b.Environment, b.Output).Ready {
			w.t.Fatalf("%s is waited for, and is there", b.Environment)
		}
	}
}

// checkUsed: what a step uses is there when it begins, and the facts say what it was.
func (o *others) checkUsed(w *world, step string, used []Consumption) {
	n := w.step(step)
	if n.Parting != nil {
		return // it is given what was recorded when its update began
	}
	if len(used) != len(n.Consumes) {
		w.t.Fatalf("%s uses %v, and was given %v", step, n.Consumes, used)
	}
	for _, of := range used {
		if s := o.supply(of.Environment, of.Output); !s.Ready || s.Value == nil {
			w.t.Fatalf("%s begins without %s", step, of.Key())
		}
	}
}
