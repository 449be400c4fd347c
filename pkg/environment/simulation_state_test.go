package environment

import (
	"fmt"
	"maps"

	"pgregory.net/rapid"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// keeper is the world's own knowledge of what executors have saved, by the facts alone.
type keeper struct {
	kept   map[string]string        // hash by step
	asked  map[string]bool          // the decider has asked for the state of the step
	open   map[string]event.TaskRef // the attempt under way
	number map[event.TaskRef]int    // of the last save that was sent
	taken  map[event.TaskRef]int    // of the last save that was taken
	sent   []StateInput
	// spared are the steps that were left where they are: what was kept of them is kept on.
	spared map[string]bool
}

func newKeeper() *keeper {
	k := &keeper{spared: map[string]bool{}, open: map[string]event.TaskRef{}, kept: map[string]string{}, number: map[event.TaskRef]int{}, taken: map[event.TaskRef]int{}, asked: map[string]bool{}}
	return k
}

func (k *keeper) clear() {
	maps.DeleteFunc(k.kept, func(step string, _ string) bool { return !k.spared[step] })
	maps.DeleteFunc(k.asked, func(step string, _ bool) bool { return !k.spared[step] })
}

// have takes the nodes of a graph for what they are again.
func (k *keeper) have(nodes []Node) {
	for _, n := range nodes {
		delete(k.spared, n.ID())
	}
}

// ask is the store, which now and then has lost a state.
func (k *keeper) ask(w *world) func(string, string) error {
	return func(step, hash string) error {
		if saved, ok := w.planner.saved[step]; ok && saved == hash {
			if !w.sound && rapid.IntRange(0, 20).Draw(w.t, "gone") == 0 {
				return fault.New(fault.GiveUp, fault.NotFound, "gone")
			}
			return nil
		}
		if k.kept[step] != hash {
			w.t.Fatalf("the next attempt of %s would get %q, and %q was saved last", step, hash, k.kept[step])
		}
		k.asked[step] = true
		if !w.sound && rapid.IntRange(0, 20).Draw(w.t, "gone") == 0 {
			return fault.New(fault.GiveUp, fault.NotFound, "gone")
		}
		return nil
	}
}

// save makes a runner's message: mostly of the one that accepts in this world.
func (k *keeper) save(w *world, ref event.TaskRef) StateInput {
	k.number[ref]++
	in := StateInput{TaskRef: ref, Runner: rapid.SampledFrom([]string{"r/1", "r/1", "r/1", "r/9"}).Draw(w.t, "runner"), Number: k.number[ref]}
	if rapid.IntRange(0, 4).Draw(w.t, "removed") > 0 {
		in.StateRef = StateRef{Hash: fmt.Sprintf("%s/%s/%d/%d/%s", ref.Operation, ref.Step, ref.Attempt, in.Number, in.Runner), Size: 1}
	}
	k.sent = append(k.sent, in)
	return in
}

func (k *keeper) check(w *world, f Fact) {
	switch b := f.Body.(type) {
	case Created:
		k.clear()
		k.have(b.Nodes)
	case StatusDestroyed:
		k.clear()
	case Updated:
		k.have(b.Nodes)
	case StepRetained:
		k.spared[b.Step] = true
	case StatusDeployed:
		for step := range k.kept {
			if w.step(step) == nil && !k.spared[step] {
				delete(k.kept, step) // an update has destroyed it, and what was kept of it is gone with it
			}
		}
	case StepWaiting:
		k.open[b.Step] = event.TaskRef{Environment: "sim", Operation: b.Operation, Step: b.Step, Attempt: b.Attempt, Epoch: w.epoch}
		if b.Verb != event.Validate && k.kept[b.Step] != "" && !k.asked[b.Step] {
			w.t.Fatalf("%s is offered without its state", b.Step)
		}
		delete(k.asked, b.Step)
	case StepDoubted:
		delete(k.open, b.Step)
	case StepUncertain:
		delete(k.open, b.Step)
	case StepSettled:
		delete(k.open, b.Step)
	case StepQueued:
		delete(k.open, b.Step)
	case StepComplete:
		delete(k.open, b.Step)
	case StepError:
		delete(k.open, b.Step)
	case StateSaved:
		k.checkSaved(w, b)
	}
}

func (k *keeper) checkSaved(w *world, b StateSaved) {
	ref := event.TaskRef{Environment: "sim", Operation: b.Operation, Step: b.Step, Attempt: b.Attempt, Epoch: w.epoch}
	if k.open[b.Step] != ref {
		w.t.Fatalf("a state of attempt %d of %s was taken, which is not under way", b.Attempt, b.Step)
	}
	if b.Number <= k.taken[ref] {
		w.t.Fatalf("save %d of %s was taken behind save %d", b.Number, b.Step, k.taken[ref])
	}
	if n := w.step(b.Step); n.Runner != "" && n.Runner != b.Runner {
		w.t.Fatalf("a state of %s was taken from %s, and %s has the step", b.Step, b.Runner, n.Runner)
	}
	k.taken[ref], k.kept[b.Step] = b.Number, b.Hash
}
