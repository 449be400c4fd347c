package environment

import (
	"slices"
	"time"

	"github.com/vivarium-env/vivarium/pkg/event"
)

// await lets a plan that is made wait. The environment has its own nodes again.
func (s *State) await(b AwaitingApproval) error {
	o := s.Operation
	s.sortPlan()
	s.Nodes, o.Aside = o.Aside, nil
	s.Status = StatusAwaitingApproval
	o.Awaits = &Awaits{Needs: b.Needs, Until: b.Until}
	s.dirty.operation = true
	return s.link()
}

// sortPlan puts what was told into the order of the plan's nodes.
func (s *State) sortPlan() {
	o := s.Operation
	slices.SortStableFunc(o.Plan.Steps, func(a, b PlannedStep) int { return s.index[a.Address] - s.index[b.Address] })
	if o.Makes != nil {
		o.Makes.index = nil
		slices.SortStableFunc(o.Makes.Steps, func(a, b KeptStep) int { return s.index[a.Address] - s.index[b.Address] })
	}
}

func (s *State) hold(i int, n *Step, b StepHeld) {
	s.Operation.Ready = remove(s.Operation.Ready, i)
	n.Asked.Hold = &Awaits{Needs: b.Needs, Until: b.Until, Why: b.Why}
	s.dirty.environment = true
	s.touch(i)
}

func (s *State) approved(b Approved, at time.Time) {
	o := s.Operation
	s.remember(Outcome{CommandID: b.CommandID, Command: event.OperationApprove, Operation: b.Operation})
	s.dirty.operation = true
	if b.Steps == nil {
		o.Awaits = o.Awaits.given(b, at, o.RequestedBy)
		return
	}
	for _, address := range b.Steps {
		i, ok := s.index[address]
		if !ok || !s.Nodes[i].held() {
			continue
		}
		n := s.Nodes[i]
		hold := n.Asked.Hold.given(b, at, o.RequestedBy)
		n.Asked.Hold = hold
		if hold.done() {
			n.Asked.Hold = nil
			o.Ready = append(o.Ready, i)
		}
		s.touch(i)
	}
}

func (s *State) refused(b Refused) {
	s.remember(Outcome{CommandID: b.CommandID, Command: event.OperationReject, Operation: b.Operation})
	s.dirty.operation = true
	if b.Steps == nil {
		s.Operation.Error = b.error()
	}
}

func (s *State) approvalExpired(b ApprovalExpired) {
	s.dirty.operation = true
	if b.Steps == nil {
		s.Operation.Error = b.error()
	}
}
