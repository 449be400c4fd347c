package environment

import (
	"encoding/json"

	"pgregory.net/rapid"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// kindless is a resolver of templates of which the server does not have a kind any more.
type kindless struct{}

var errLost = fault.New(fault.Wait, fault.ExecutorUnknown, "the kind is gone")

type outputsOf = func(string) (json.RawMessage, bool)

func (kindless) Inputs(string, outputsOf) (Inputs, error)            { return Inputs{}, errLost }
func (kindless) Proposal(string, outputsOf) (Inputs, error)          { return Inputs{}, errLost }
func (kindless) Endpoint(string, outputsOf) (*event.Endpoint, error) { return nil, errLost }
func (kindless) Outputs(outputsOf) (json.RawMessage, error)          { return nil, errLost }
func (kindless) Entrypoints(outputsOf) ([]Entrypoint, error)         { return nil, errLost }

// allKinds has Surroundings say whether the server has all kinds.
func (w *world) allKinds(s Surroundings) Surroundings {
	if w.parts.lost {
		s.Resolver = kindless{}
		s.Lacks = func() *Reason { return &Reason{Code: BecauseNoExecutor, Detail: errLost.Message} }
	}
	return s
}

// lack lets a server work for a while that does not have all kinds: nothing fails by that, and all goes on afterwards.
func (w *world) lack() {
	w.parts.lost = true
	for range rapid.IntRange(1, 5).Draw(w.t, "meanwhile") {
		switch what := rapid.IntRange(0, 4).Draw(w.t, "without"); {
		case what == 0:
			w.elapse()
		case what == 1:
			w.decide(RetryInput{CommandMeta: w.meta()})
		case what == 2:
			w.decide(DestroyInput{CommandMeta: w.meta(), Destroy: event.Destroy{Force: rapid.Bool().Draw(w.t, "force"), DespiteConsumers: w.others.drawDespite(w)}})
		case len(w.tasks) > 0:
			w.decide(w.resultOf(w.take(0)))
		}
	}
	w.parts.lost = false
	w.decide(TickInput{})
}

// checkKinds: nothing is begun that has to be evaluated, and nothing is given up for that.
func (p *parts) checkKinds(w *world, f Fact) {
	force := w.state.Operation != nil && w.state.Operation.Force && w.state.Operation.Kind == DestroyOperation
	switch b := f.Body.(type) {
	case StepWaiting:
		if p.lost && (b.Verb == event.Apply || b.Verb == event.Validate) {
			w.t.Fatalf("%s is offered, and can't have been evaluated", b.Step)
		}
	case StepError:
		if b.Error.Code == fault.ExecutorUnknown && !force {
			w.t.Fatalf("%s has failed, and had only to wait", b.Step)
		}
	case StatusFailed:
		if b.Error.Code == fault.ExecutorUnknown {
			w.t.Fatalf("the environment has failed, and had only to wait")
		}
	}
}
