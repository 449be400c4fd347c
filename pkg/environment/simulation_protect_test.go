package environment

import (
	"maps"
	"slices"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/vivarium-env/vivarium/pkg/event"
)

// protection draws what a resource is spared.
func (w *world) protection(n *Node) {
	if n.Type == ResourceNode {
		n.PreventDestroy = rapid.IntRange(0, 19).Draw(w.t, "prevents") == 0
		n.Retain = rapid.IntRange(0, 7).Draw(w.t, "retains") == 0
	}
}

// left tells whether a resource is known to be left where it is.
func (w *world) left(identity string) bool {
	return slices.ContainsFunc(w.state.Retained, func(r Leftover) bool { return r.ID() == identity })
}

// checkProtection holds that nothing is done that was to be refused.
func (w *world) checkProtection(f Fact) {
	switch b := f.Body.(type) {
	case Created, Updated, StatusDestroying, StatusRetrying, StatusRunning, Healing, Redeploying:
		if _, heals := f.Body.(Healing); heals {
			w.healing = false // what was healed lately has to wait
		}
		if w.locked {
			w.t.Fatalf("%s of a locked environment", f.Body.Type())
		}
		if b, again := f.Body.(Created); again && b.Planned {
			w.anew() // of what it was made of before, which the world knows still
		}
	case StepWaiting:
		if n := w.step(b.Step); n != nil && b.Verb == event.Destruct && (n.PreventDestroy || n.Retain) {
			w.t.Fatalf("%s is to be destroyed, but is protected: %+v", b.Step, n.Protection)
		}
	case StepRetained:
		require.True(w.t, w.left(b.Step) && w.applied[b.Step] || !w.applied[b.Step], "%s was left, and nobody knows of it", b.Step)
		w.on[b.Step] = map[string]bool{}
	}
}

// lock locks, or unlocks.
func (w *world) lock() {
	exists, locked := w.state.Remains(), w.state.Lock != nil
	if rapid.Bool().Draw(w.t, "locks") {
		require.Equal(w.t, exists && !locked, w.decide(LockInput{CommandMeta: w.meta(), Lock: event.Lock{Reason: "because"}}).Accepted)
		return
	}
	w.locked = false
	require.Equal(w.t, locked, w.decide(UnlockInput{CommandMeta: w.meta()}).Accepted)
}

// anew forgets what a former life has done. What is there of it was left where it is.
func (w *world) anew() {
	w.on = map[string]map[string]bool{}
	maps.DeleteFunc(w.applied, func(identity string, _ bool) bool { return w.leaves(identity) })
}

// seen is a look that no operation asked for, of now or of before.
func (w *world) seen() {
	n := rapid.SampledFrom(w.state.Nodes).Draw(w.t, "seen")
	in := LookInput{Step: n.ID(), Operation: w.state.Operation.ID, Epoch: w.state.Epoch, At: w.now, Observation: rapid.SampledFrom([]event.Observation{
		{Presence: event.Present}, {Presence: event.Absent}, {Presence: event.Present, Drifted: true}}).Draw(w.t, "found")}
	if rapid.IntRange(0, 3).Draw(w.t, "late") == 0 {
		in.Operation = "op-0"
	}
	may := w.state.Status == Deployed && !w.state.Busy() && in.Operation == w.state.Operation.ID && n.Exists && n.Type == ResourceNode
	facts := len(w.facts)
	w.decide(in)
	for _, f := range w.facts[facts:] {
		if _, looked := f.Body.(ResourceObserved); looked && !may {
			w.t.Fatalf("a look at %s was believed", n.Address)
		}
	}
}

// quiet takes back what would go on by itself for ever.
func (w *world) quiet() {
	w.decide(ScheduleInput{CommandMeta: w.meta(), Schedule: event.Schedule{Hours: &event.Hours{}}})
	w.decide(ScheduleInput{CommandMeta: w.meta()})
}

// schedule says when it is destroyed by itself, or that it is not.
func (w *world) schedule() {
	var in ScheduleInput
	in.CommandMeta = w.meta()
	if rapid.IntRange(0, 2).Draw(w.t, "ends") > 0 {
		at := w.now.Add(time.Duration(rapid.IntRange(-1, 20).Draw(w.t, "minutes")) * time.Minute)
		in.DestroyAt = &at
	}
	if rapid.IntRange(0, 3).Draw(w.t, "drifts") == 0 {
		in.Drift = &event.DriftPolicy{Policy: rapid.SampledFrom([]string{event.DriftReport, event.DriftHeal}).Draw(w.t, "policy")}
	}
	if rapid.Bool().Draw(w.t, "hours") {
		in.DestroyAt = nil
		in.Hours = rapid.SampledFrom([]*event.Hours{{}, {Down: "*/10 * * * *"}, {Up: "5,25,45 * * * *", Down: "10,30,50 * * * *"},
			{Check: "*/15 * * * *"}, {Up: "*/20 * * * *", Down: "*/15 * * * *", Check: "*/7 * * * *"}}).Draw(w.t, "times")
	}
	may := w.state.Remains() && (in.DestroyAt == nil || !in.DestroyAt.Before(w.now))
	require.Equal(w.t, may, w.decide(in).Accepted)
}
