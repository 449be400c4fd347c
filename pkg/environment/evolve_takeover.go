package environment

import (
	"time"

	"github.com/vivarium-env/vivarium/pkg/event"
)

// evolveTakeover takes the facts of a takeover; known is false for all others.
func (s *State) evolveTakeover(f Fact) (known bool, err error) {
	switch b := f.Body.(type) {
	case TakenOver:
		s.Epoch = b.Epoch
		s.dirty.environment = true
		return true, nil
	case Promoted:
		return true, nil // it is about no environment
	case StepDoubted:
		return true, s.onStep(b.Type(), b.Step, func(i int, n *Step) { s.doubted(i, n, b, f.At) })
	case StepUncertain:
		return true, s.onStep(b.Type(), b.Step, func(i int, n *Step) {
			s.takeOut(i)
			doubt := Doubt{Operation: b.Operation, Verb: n.Verb, Attempt: n.Attempt, Since: f.At}
			if n.Doubt != nil {
				doubt = *n.Doubt
			}
			doubt.Found, doubt.Detail = b.Found, b.Detail
			n.Doubt, n.Looking = &doubt, false
			s.setState(i, StateUncertain)
		})
	case StepSettled:
		s.remember(Outcome{CommandID: b.CommandID, Command: event.EnvironmentSettle, Operation: b.Operation})
		return true, s.onStep(b.Type(), b.Step, func(i int, n *Step) { s.settled(i, n, b) })
	}
	return false, nil
}

// doubted puts a step back: its next offer is a look.
func (s *State) doubted(i int, n *Step, b StepDoubted, at time.Time) {
	s.takeOut(i)
	n.Doubt = &Doubt{Operation: b.Operation, Verb: b.Verb, Attempt: b.Attempt, Runner: b.Runner, Since: at}
	n.Runner, n.Waiting, n.Progress, n.NotBefore = "", BecauseUncertain, nil, time.Time{}
	s.ready(i)
}

func (s *State) settled(i int, n *Step, b StepSettled) {
	n.Doubt, n.Looking = nil, false
	s.touch(i)
	if b.Verdict == event.Again {
		s.takeOut(i)
		n.Runner, n.Progress, n.NotBefore, n.Waiting = "", nil, time.Time{}, ""
		s.ready(i)
	}
}

// takeOut takes a step out of the lists of those that run, or may.
func (s *State) takeOut(i int) {
	o := s.Operation
	o.Flight, o.Ready, o.Delayed = remove(o.Flight, i), remove(o.Ready, i), remove(o.Delayed, i)
}
