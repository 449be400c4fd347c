package orchestrator

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/plan"
)

// offer makes the task of a step that was decided to run. It is published once: an offer that is lost lapses, and the
// next one has a number of its own, so that two copies of one attempt can never be about.
func (t *turn) offer(s *environment.State, b environment.StepWaiting) {
	n := s.Step(b.Step)
	task := event.Task{
		TaskRef: t.ref(s, n), Verb: b.Verb, Executor: n.Executor, Inputs: b.Inputs, Endpoint: b.Endpoint, Outputs: n.Outputs,
		Timeout: n.Timeout, AcceptBefore: b.AcceptBefore,
	}
	if n.Identity != "" {
		task.Address = n.Address
	}
	if b.Verb == event.Apply && n.Type == environment.ActionNode {
		if task.Occasion = string(s.Operation.Kind.Occasion()); n.Doomed {
			task.Occasion = string(environment.OnDestroy)
		}
	}
	task.PreventDestroy = b.Verb == event.Apply && n.PreventDestroy
	if b.Verb == event.Destruct || b.Verb == event.Observe || b.Verb == event.Propose {
		task.Inputs, task.Proposes, task.Unknown = n.Inputs, n.Proposes, n.Unknown
	}
	if b.Verb == event.Propose && n.Asked != nil {
		task.Inputs, task.Proposes = b.Inputs, event.Apply
	}
	if b.Plan != nil {
		t.attach(s, n, *b.Plan, &task)
	}
	if b.Verb == event.Apply || b.Verb == event.Propose {
		task.Adopt = n.Adopt
	}
	if n.Bundle != "" && b.Verb != event.Validate {
		bundle, err := t.bundle(s.Name, n)
		if err != nil {
			// The runner has to say so: the decider has offered the step already.
			t.p.Log.Error("the files of a step can't be found", "environment", s.Name, "step", n.Address, "error", err)
		}
		task.Bundle = bundle
	}
	if n.StateHash != "" && b.Verb != event.Validate {
		if kept, err := t.state(place{s.Name, n.ID()}); err == nil { // the decider has asked before it offered
			task.State = string(kept.Data)
		} else {
			t.states.err = err
		}
	}
	m := t.p.message(bus.Address{Key: bus.Tasks(n.PoolName())}, event.TypeOf(event.TaskOffered), task)
	m.ID = fmt.Sprintf("%s/%s/%s/%s/%d/%d", t.p.Cluster, s.Name, task.Operation, task.Step, task.Attempt, t.p.Epoch)
	m.Expires = t.p.decider.Policy().AcceptWithin
	t.tasks = append(t.tasks, m)
}

func (t *turn) ref(s *environment.State, n *environment.Step) event.TaskRef {
	return event.TaskRef{Environment: s.Name, Operation: s.Operation.ID, Step: n.ID(), Attempt: n.Attempt,
		Partition: t.p.number, Epoch: t.p.Epoch}
}

// bundle packs the files of a node. One that an update has left behind has them in the template that it came from.
func (t *turn) bundle(name string, n *environment.Step) (*event.Bundle, error) {
	if n.Doomed {
		return t.p.plans.bundle(t.ctx, n.TemplateHash, n.Bundle)
	}
	if n.Verb == event.Propose {
		return t.proposedBundle(name, n)
	}
	pl, err := t.plan(name)
	if err != nil { // what is wrong with the rest of its template does not matter for what is there already
		return t.p.plans.bundle(t.ctx, n.TemplateHash, n.Bundle)
	}
	return pl.Bundle(n.Bundle)
}

// proposedBundle packs the files of a step of a plan: they are in the templates that are thought of, or in those that the
// environment was made from, and both are kept.
func (t *turn) proposedBundle(name string, n *environment.Step) (*event.Bundle, error) {
	pl := t.plans[name]
	if pl == nil {
		pl = t.p.plans.cached(name)
	}
	if pl != nil {
		if bundle, err := pl.Bundle(n.Bundle); err == nil {
			return bundle, nil
		}
	}
	return t.p.plans.bundle(t.ctx, n.TemplateHash, n.Bundle)
}

// sendTask publishes an offer; the queue of a pool is made when the pool is first asked for.
func (p *partition) sendTask(ctx context.Context, m bus.Message) {
	pool := m.To.Key[len(bus.Tasks("")):]
	if _, declared := p.pools.Load(pool); !declared {
		if err := p.Bus.Declare(ctx, bus.Topology{Pools: []string{pool}}); err != nil {
			p.Log.Warn("the queue of a pool could not be made; its offer will lapse and be made again", "pool", pool, "error", err)
			return
		}
		p.pools.Store(pool, struct{}{})
	}
	failed := func(err error) {
		p.Log.Warn("a task is not confirmed by the bus", "to", m.To.Key, "error", err)
		if fault.From(err).Disposition == fault.Reject {
			p.running.Go(func() { p.unsendable(m, err) })
		}
	}
	err := p.Bus.Send(p.run, m, func(err error) {
		if err != nil {
			failed(err)
		}
	})
	if err != nil {
		failed(err)
	}
}

// unsendable ends a step whose task the bus will never take: it would lapse and be offered again for ever.
func (p *partition) unsendable(m bus.Message, why error) {
	e, err := event.Decode(m.Body)
	var ref event.TaskRef
	if err == nil {
		err = json.Unmarshal(e.Data, &ref)
	}
	if err != nil {
		p.Log.Error("a task of our own can't be read", "error", err)
		return
	}
	now := time.Now().UTC()
	p.send(p.message(bus.Address{Key: bus.Partition(p.number)}, event.TypeOf(event.TaskFinished), event.Result{
		TaskRef: ref, Runner: p.Server, StartedAt: now, FinishedAt: now,
		Error: fault.New(fault.GiveUp, fault.Invalid,
			"the bus does not take the task of %s, which has %d bytes with its inputs, outputs, files and state (%s): make them smaller, or raise the broker's limit",
			ref.Step, len(m.Body), fault.From(why).Message)}), "result")
}

// askedPool tells the decider about a pool, and remembers that it was asked for.
func (x *Orchestrator) askedPool(pool, executor string) environment.Pool {
	p := x.runners.pool(pool, executor)
	if p.Runners == 0 {
		x.asked.Store(pool, struct{}{})
	}
	return p
}

// cancelAgain asks the runners of an operation that is being cancelled to stop. It is said with every tick, since
// nobody confirms it.
func (t *turn) cancelAgain(s *environment.State) {
	if s == nil || !s.Busy() || s.Operation.Status != environment.OperationCancelling {
		return
	}
	s.InFlight(func(n *environment.Step) {
		m := t.p.message(bus.Address{Exchange: bus.Control, Key: "pool." + n.PoolName()}, event.TypeOf(event.TaskCancel),
			event.CancelTask{TaskRef: t.ref(s, n), Reason: s.Operation.Reason})
		m.Transient = true
		t.controls = append(t.controls, m)
	})
}

// plan finds the plan of an environment: made in this turn, kept in memory, or made again from what is stored.
func (t *turn) plan(name string) (*plan.Plan, error) {
	if pl := t.plans[name]; pl != nil {
		return pl, nil
	}
	return t.p.plans.get(t.ctx, t.p.states[name])
}
