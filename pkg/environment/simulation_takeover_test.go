package environment

import (
	"encoding/json"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/vivarium-env/vivarium/pkg/event"
)

// ledger is what was really done by the side that was lost, step by step: nobody tells the decider.
type ledger struct {
	doubts map[string]*effect
	hold   *Reason
}

type effect struct {
	offer StepWaiting // of the attempt that was in flight
	done  bool
	verb  event.Verb // of the operation that is at it now
}

// promote has another side take over: what the runners of the old one hold was done to the end, or was not begun. They
// may still speak.
func (w *world) promote() {
	w.epoch++
	w.decider = NewDecider(Policy{Parallelism: w.decider.Policy().Parallelism, Epoch: w.epoch})
	w.old = append(w.old, w.tasks...)
	w.tasks = nil
	w.state.InFlight(func(n *Step) {
		if n.acts() && !n.Looking {
			w.ledger.doubts[n.ID()] = &effect{offer: w.offered[n.ID()], done: rapid.Bool().Draw(w.t, "done")}
		}
	})
	if rapid.Bool().Draw(w.t, "held") {
		w.ledger.hold = &Reason{Code: BecauseTakeover, Detail: "the other side may still act"}
	}
	w.decide(TickInput{})
}

func (l *ledger) check(w *world, f Fact) {
	switch b := f.Body.(type) {
	case Created:
		l.doubts = map[string]*effect{}
	case StatusDeployed:
		for step := range l.doubts {
			if w.step(step) == nil {
				delete(l.doubts, step) // an update has let go of it
			}
		}
	case StepWaiting:
		if l.hold != nil {
			w.t.Fatalf("%s is offered while the other side may still act", b.Step)
		}
		e := l.doubts[b.Step]
		if n := w.step(b.Step); e != nil && n != nil {
			e.verb = n.Verb
		}
		if e != nil && (b.Verb == event.Apply || b.Verb == event.Destruct) {
			w.t.Fatalf("%s is run again, and nobody has found out whether it was done", b.Step)
		}
	case StepUncertain:
		l.doubts[b.Step].verb = w.step(b.Step).Verb
	case StepRetained:
		delete(l.doubts, b.Step)
	case StepSettled:
		l.settled(w, b)
	}
}

// settled holds that what can't be repeated was not done yet where it is to be done again.
func (l *ledger) settled(w *world, b StepSettled) {
	e := l.doubts[b.Step]
	n, _ := w.wanted(b.Step)
	if e == nil {
		w.t.Fatalf("%s is settled, and was in no doubt", b.Step)
	}
	delete(l.doubts, b.Step)
	switch {
	case b.Verdict == event.Again && e.done && e.offer.Verb == event.Apply && !n.Idempotent && e.verb == event.Apply:
		w.t.Fatalf("%s is done twice", b.Step)
	case b.Verdict == event.Done:
		if b.Found != nil && !e.done && e.offer.Verb == event.Apply && e.verb == event.Apply && !w.applied[b.Step] {
			w.t.Fatalf("%s counts as done, and was not", b.Step)
		}
		e.offer.Verb = e.verb
		w.offered[b.Step] = e.offer
	}
}

// sight is what a look at a step in doubt shows, nil for one that is in none.
func (w *world) sight(step string) *event.Observation {
	e := w.ledger.doubts[step]
	if e == nil || !w.sound && rapid.IntRange(0, 5).Draw(w.t, "blind") == 0 {
		return nil
	}
	there := w.applied[step] || e.done
	if e.offer.Verb == event.Destruct {
		there = !e.done
	}
	if !there {
		return &event.Observation{Presence: event.Absent}
	}
	return &event.Observation{Presence: event.Present, Drifted: !e.done}
}

// clear is a person who has looked at one step, or at all.
func (w *world) clear(all bool) {
	for _, n := range w.state.Nodes {
		if n.State != StateUncertain {
			continue
		}
		in := SettleInput{CommandMeta: w.meta(), Settle: event.Settle{Step: n.Address, Verdict: event.Again}}
		e := w.ledger.doubts[n.ID()]
		switch {
		case n.Doubt.Operation != n.Operation:
			e.done = false // what an earlier operation has left is not what is wanted now: it was cleared away
		case e.done && e.offer.Verb == n.Verb:
			in.Verdict, in.Settle.Outputs = event.Done, json.RawMessage(`{"a":1}`)
		}
		require.True(w.t, w.decide(in).Accepted)
		if !all {
			return
		}
	}
}
