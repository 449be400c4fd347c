package environment

import (
	"slices"
	"time"

	"github.com/vivarium-env/vivarium/pkg/event"
)

// checking begins an operation of looks that wait for nothing.
func (s *State) checking(b StatusChecking, at time.Time) {
	before := s.Status
	s.Status, s.Epoch = Checking, b.Epoch
	s.begin(Operation{Kind: CheckOperation, CommandID: b.CommandID, RequestedBy: b.RequestedBy, Parallelism: b.Parallelism,
		Before: before, StartedAt: at}, event.EnvironmentCheck)
	for i, n := range s.Nodes {
		if n.Exists && n.Type == ResourceNode && (b.Resources == nil || slices.Contains(b.Resources, n.Address)) {
			s.include(i, event.Observe)
			n.Unmet = 0
			s.ready(i)
		}
	}
	s.dirty.environment = true
}

func (s *State) observed(i int, n *Step, b ResourceObserved) {
	s.finds(n, b)
	s.touch(i)
}

// finds takes what a look has found, whoever asked for that. Facts of before VoidsPlans voided plans by less, and those of nobody's
// asking none: they still do.
func (s *State) finds(n *Step, b ResourceObserved) {
	off := n.Drift.Off()
	n.Drift = b.drift()
	if b.VoidsPlans || (!b.Unasked && off != n.Drift.Off()) {
		s.voidAll("a look has found " + n.Address + " otherwise than it was known then")
	}
}

func (b ResourceObserved) drift() *Drift {
	return &Drift{Presence: b.Presence, Drifted: b.Drifted, Differences: b.Differences, Omitted: b.Omitted, CheckedAt: b.At}
}

// checked is a new value, since records that were taken hold the old one.
func (d *Drift) checked(at time.Time) *Drift {
	if d == nil {
		return nil
	}
	now := *d
	now.CheckedAt = at
	return &now
}
