package environment

import (
	"bytes"
	"encoding/json"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// check begins an operation that looks at resources, all at once.
func (c *decision) check(in CheckInput) *fault.Error {
	switch {
	case !c.s.Exists():
		return c.notThere()
	case c.s.Busy():
		return c.inTheWay()
	case c.s.Status == DestroyFailed:
		return fault.New(fault.Reject, fault.Conflict, "environment %q is %s: destroying it again looks at what is left", c.s.Name, c.s.Status)
	}
	for _, address := range in.Resources {
		if err := c.observable(address); err != nil {
			return err
		}
	}
	c.emit(StatusChecking{CommandID: in.CommandID, RequestedBy: in.RequestedBy, Operation: c.nextOperation(), Resources: in.Resources,
		Parallelism: c.parallelism(c.s.Operation.Parallelism), Epoch: c.Epoch})
	return nil
}

func (c *decision) observable(address string) *fault.Error {
	switch n := c.s.Step(address); {
	case n == nil:
		return fault.New(fault.Reject, fault.NotFound, "environment %q has no resource %q", c.s.Name, address)
	case n.Type != ResourceNode:
		return fault.New(fault.Reject, fault.Invalid, "%s is no resource: there is nothing of it to look at", address)
	case !n.Exists:
		return fault.New(fault.Reject, fault.Conflict, "%s was never applied: there is nothing of it to look at", address)
	}
	return nil
}

// observed records what a look has found, if that is news.
func (c *decision) observed(n *Step, in ResultInput) {
	found := event.Observation{Presence: event.PresenceUnknown}
	if in.Observation != nil {
		found = *in.Observation
	}
	c.found(n, ResourceObserved{Operation: in.Operation, Step: in.Step, At: in.FinishedAt}, found)
}

// found records what was found of a resource, if that is news. A plan that was made before is of another world then.
func (c *decision) found(n *Step, b ResourceObserved, o event.Observation) {
	if n.Drift != nil && equal(o, n.Drift.observation()) {
		return
	}
	b.Presence, b.Drifted, b.Differences, b.Omitted = o.Presence, o.Drifted, o.Differences, o.Omitted
	b.VoidsPlans = n.Drift.Off() || b.drift().Off()
	c.emit(b)
}

func (d Drift) observation() event.Observation {
	return event.Observation{Presence: d.Presence, Drifted: d.Drifted, Differences: d.Differences, Omitted: d.Omitted}
}

// equal compares as the journal writes them, which knows no difference between none and an empty list.
func equal(a, b event.Observation) bool {
	left, errLeft := json.Marshal(a)
	right, errRight := json.Marshal(b)
	return errLeft == nil && errRight == nil && bytes.Equal(left, right)
}
