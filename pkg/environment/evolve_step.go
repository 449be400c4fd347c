package environment

import (
	"slices"
	"time"

	"github.com/vivarium-env/vivarium/pkg/event"
)

func (s *State) evolveStep(f Fact) error {
	switch b := f.Body.(type) {
	case StepWaiting:
		return s.onStep(b.Type(), b.Step, func(i int, n *Step) { s.waiting(i, n, b) })
	case StepRunning:
		return s.onStep(b.Type(), b.Step, func(i int, n *Step) {
			n.Runner, n.StartedAt, n.Losses, n.Waiting = b.Runner, b.StartedAt, 0, ""
			s.setState(i, StateRunning)
		})
	case StepProgress:
		return s.onStep(b.Type(), b.Step, func(i int, n *Step) {
			n.Progress = &b.Progress
			s.touch(i)
		})
	case StateSaved:
		return s.onStep(b.Type(), b.Step, func(_ int, n *Step) { n.StateHash, n.Saves = b.Hash, b.Number })
	case TaskRefused:
		if s.Operation != nil {
			s.Operation.Refusals++
		}
		return nil
	case StepPlanned:
		return s.onStep(b.Type(), b.Step, func(i int, n *Step) { s.stepPlanned(i, n, b) })
	case HealGaveUp:
		return s.gaveUp(b)
	case ResourceObserved:
		if b.Unasked {
			return s.looked(b)
		}
		return s.onStep(b.Type(), b.Step, func(i int, n *Step) { s.observed(i, n, b) })
	case StepComplete:
		return s.onStep(b.Type(), b.Step, func(i int, n *Step) { s.complete(i, n, b) })
	case StepUnchanged:
		return s.onStep(b.Type(), b.Step, func(i int, n *Step) {
			n.Stale, n.FinishedAt = false, f.At
			n.consumed(b.Consumed)
			if n.Type == ActionNode && n.Applied == "" {
				n.Status = Idle
			}
			s.end(i, StateComplete)
			s.succeed(i)
		})
	case StepHeld:
		return s.onStep(b.Type(), b.Step, func(i int, n *Step) { s.hold(i, n, b) })
	case StepRetained:
		return s.onStep(b.Type(), b.Step, func(i int, n *Step) {
			n.Doubt = nil
			s.retain(i, n, b, f.At)
		})
	case StepQueued:
		return s.onStep(b.Type(), b.Step, func(i int, n *Step) { s.requeued(i, n, b) })
	case StepError:
		return s.onStep(b.Type(), b.Step, func(i int, n *Step) { s.failed(i, n, b, f.At) })
	case StepSkipped:
		return s.onStep(b.Type(), b.Step, func(i int, n *Step) {
			n.Because, n.FinishedAt = b.Because, f.At
			s.end(i, StateSkipped)
		})
	default:
		return errOutOfPlace(f.Body.Type(), "")
	}
}

func (s *State) onStep(typ, address string, apply func(int, *Step)) error {
	i, ok := s.index[address]
	if !ok || s.Operation == nil || !s.takesPart(s.Nodes[i]) || s.Nodes[i].State.Ended() {
		return errOutOfPlace(typ, address)
	}
	apply(i, s.Nodes[i])
	return nil
}

func (s *State) waiting(i int, n *Step, b StepWaiting) {
	o := s.Operation
	o.Ready, o.Delayed = remove(o.Ready, i), remove(o.Delayed, i)
	o.Flight = append(o.Flight, i)
	n.Attempt, n.AcceptBefore, n.NotBefore, n.leaseUntil = b.Attempt, b.AcceptBefore, time.Time{}, time.Time{}
	n.Progress, n.Saves = nil, 0
	if n.Looking = b.Verb == event.Observe && n.acts(); n.Looking {
		s.setState(i, StateWaiting)
		return
	}
	n.Verb = b.Verb
	n.consumed(b.Consumed)
	switch n.Verb {
	case event.Propose:
		if o.executing() {
			s.asking(n, b)
		}
	case event.Apply:
		n.Inputs, n.Offered, n.Exists = b.Inputs, b.Fingerprint, true
		switch o.Kind {
		case RunOperation: // shows in the step alone: the node stays what it is until that has succeeded
		case DestroyOperation:
			n.Status = Destroying
		default:
			if n.Status, n.Drift = Deploying, nil; n.Doomed {
				n.Status = Destroying
			}
		}
	case event.Destruct:
		n.Status = Destroying
	case event.Validate:
		n.Endpoint = b.Endpoint
	}
	s.setState(i, StateWaiting)
}

func (s *State) complete(i int, n *Step, b StepComplete) {
	n.Runner, n.StartedAt, n.FinishedAt, n.Error = b.Runner, b.StartedAt, b.FinishedAt, nil
	n.consumed(b.Consumed)
	switch n.Verb {
	case event.Apply:
		n.Status, n.Outputs, n.Applied = Deployed, b.Outputs, n.Offered
		n.Stale, n.Due, n.Adopt = false, false, nil
		if !s.Operation.Heals {
			n.Heals, n.GaveUp = 0, false
		}
		s.makeDue(n)
		s.forgetAsked(n)
		if s.Operation.Kind == DestroyOperation || n.Doomed {
			n.Status = Destroyed
		}
	case event.Validate:
		if n.Status = Deployed; n.waits() {
			n.Status = Idle
		}
		if n.Probed {
			n.Health = &EndpointHealth{Status: event.Healthy, Since: b.FinishedAt}
		}
	case event.Destruct:
		n.Status, n.Exists, n.Outputs, n.Applied = Destroyed, false, nil, ""
		n.Drift = nil
	case event.Observe:
		n.Drift = n.Drift.checked(b.FinishedAt)
	}
	s.end(i, StateComplete)
	s.succeed(i)
}

// waits tells whether a node is an action that has not run, and need not have.
func (n *Step) waits() bool {
	return n.Type == ActionNode && !n.made() && n.Applied == "" && n.Outputs == nil
}

// makeDue tells the actions that run on updates that there is something new to run for. The retry of a create is none.
func (s *State) makeDue(n *Step) {
	if k := s.Operation.Kind; k != UpdateOperation && k != RetryOperation {
		return
	}
	for _, d := range n.dependents {
		if s.Nodes[d].RunsOn(OnUpdate) && s.takesPart(s.Nodes[d]) {
			s.Nodes[d].Due = true
		}
	}
}

// succeed lets what waited for step i go on.
func (s *State) succeed(i int) {
	if s.Operation.Validating || s.Operation.Kind == RunOperation || s.Operation.Kind.looks() {
		return // nobody waits for them
	}
	for _, d := range s.countDown(i) {
		s.free(d)
	}
}

func (s *State) requeued(i int, n *Step, b StepQueued) {
	o := s.Operation
	o.Flight = remove(o.Flight, i)
	n.Runner, n.Error, n.Waiting, n.Progress = "", b.Error, b.Cause.reason(), nil
	s.unanswered(n, b.Cause)
	switch b.Cause {
	case CauseFailed:
		n.Failures++
	case CauseUnavailable:
	default:
		n.Losses++
	}
	if n.State == StateRunning {
		n.QueuedAt = s.UpdatedAt // it had been taken: it waits anew
	}
	if b.NotBefore == nil {
		o.Ready = append(o.Ready, i)
	} else {
		n.NotBefore = *b.NotBefore
		o.Delayed = append(o.Delayed, i)
	}
	s.setState(i, StateQueued)
}

func (s *State) failed(i int, n *Step, b StepError, at time.Time) {
	n.Error, n.FinishedAt, n.Looking = b.Error, at, false
	if b.Runner != "" {
		n.Runner = b.Runner
	}
	switch s.Operation.Kind {
	case RunOperation, CheckOperation:
	case PlanOperation:
		s.told(n, StepPlanned{Plan: event.Plan{Change: event.ChangeUnknown}}, b.Error)
	case DestroyOperation:
		n.Status = DestroyFailed
	default:
		if n.Asked == nil || n.Status != Deployed { // else it was only asked about, and is what it was
			n.Status = Failed
		}
	}
	if s.Operation.Error == nil {
		s.Operation.Error = b.Error
	}
	s.end(i, StateError)
	if s.Operation.Force {
		s.succeed(i)
	}
}

func (s *State) end(i int, state StepState) {
	o := s.Operation
	o.Flight = remove(o.Flight, i)
	if n := s.Nodes[i]; n.State == StateQueued {
		o.Ready, o.Delayed = remove(o.Ready, i), remove(o.Delayed, i)
	}
	o.Remaining--
	s.setState(i, state)
}

// remove takes the first occurrence of i out of the list; what is wanted is nearly always at its head.
func remove(list []int, i int) []int {
	at := slices.Index(list, i)
	switch at {
	case -1:
		return list
	case 0:
		return list[1:]
	}
	return slices.Delete(list, at, at+1)
}
