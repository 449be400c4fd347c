package environment

import (
	"encoding/json"

	"github.com/vivarium-env/vivarium/pkg/event"
)

// Asked is what an executor was asked again about a step of a plan that is carried out, and what it said.
type Asked struct {
	Inputs      json.RawMessage `json:",omitempty"`
	Fingerprint string          `json:",omitempty"`
	Plan        *event.Plan     `json:",omitempty"` // nil until it has said something
	Saved       *StateRef       `json:",omitempty"`
	Hold        *Awaits         `json:",omitempty"` // it is to be approved first
}

// clear tells whether the step may be applied with these inputs as its executor has said.
func (a *Asked) clear(fingerprint string) bool {
	return a != nil && a.Plan != nil && a.Hold == nil && a.Fingerprint == fingerprint
}

// executing tells whether the operation carries a plan out, in which steps may be asked about before they are applied.
func (o *Operation) executing() bool { return o.Executes != nil }

// asking is an offer of the question what the step would change now.
func (s *State) asking(n *Step, b StepWaiting) {
	s.forgetAsked(n)
	n.Asked = &Asked{Inputs: b.Inputs, Fingerprint: b.Fingerprint}
}

// stepPlanned takes what an executor has said.
func (s *State) stepPlanned(i int, n *Step, b StepPlanned) {
	if s.Operation.Kind == PlanOperation {
		s.told(n, b, b.Error)
		return
	}
	if n.Asked == nil {
		n.Asked = &Asked{}
	}
	n.Asked.Plan, n.Asked.Saved = &b.Plan, b.Saved
	s.Operation.Flight = remove(s.Operation.Flight, i)
	n.Verb, n.Runner, n.Waiting, n.Error = event.Apply, "", "", nil
	s.ready(i)
}

// unanswered makes what was asked, or allowed, void: an attempt has come to nothing, and may have done a part.
func (s *State) unanswered(n *Step, cause QueueCause) {
	if !s.Operation.executing() {
		return
	}
	if n.Verb == event.Apply && (cause == CauseFailed || cause == CauseLost) {
		s.forgetAsked(n)
		n.Asked = &Asked{} // what was shown is asked for anew
	}
	if n.Verb == event.Propose {
		n.Verb = event.Apply
	}
}

func (s *State) forgetAsked(n *Step) {
	if n.Asked != nil && n.Asked.Saved != nil {
		s.letGo(s.Operation.ID, n.Address)
	}
	n.Asked = nil
}
