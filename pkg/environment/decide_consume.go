package environment

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Supply is what is known of an output of another environment.
type Supply struct {
	// Status of that environment; empty: it is not there.
	Status Status
	// Ready: its outputs are settled, and stay so until it is changed.
	Ready bool
	// Value, whose secrets are sealed; nil: it has no such output.
	Value json.RawMessage
	// Outputs are the names of all that it has, sorted.
	Outputs []string
	// Resources are the addresses that the output comes from, as far as they are known.
	Resources []string
}

// Supply is an output of the environment for another one that uses it. What it put out stays good while it is looked at, or
// while an action runs in it, but not while it is changed or after that has failed.
func (r Record) Supply(output string) Supply {
	s := Supply{Status: r.Status}
	switch r.Status {
	case Destroyed, Planned:
		return Supply{}
	case Deployed, Running, Checking, Planning:
		s.Ready = r.Error == nil && (r.Status == Deployed || r.Outputs != nil)
	}
	var outputs map[string]json.RawMessage
	if !s.Ready || json.Unmarshal(r.Outputs, &outputs) != nil && len(r.Outputs) > 0 {
		return s
	}
	s.Value, s.Outputs, s.Resources = outputs[output], slices.Sorted(maps.Keys(outputs)), r.Sources[output]
	return s
}

// supply asks about an output that a node uses.
func (c *decision) supply(of Consumption) Supply {
	if c.Surroundings.Consumed == nil {
		return Supply{}
	}
	return c.Surroundings.Consumed(of.Environment, of.Output)
}

// needs are the outputs of other environments that a step can't begin without.
func (n *Step) needs() []Consumption {
	if n.worksOut() {
		return n.Consumes
	}
	return nil
}

// awaits tells whether a step has to wait for other environments, and says so once for all steps that wait for the same. A
// destroy by force waits for none of them: they may never come.
func (c *decision) awaits(n *Step, held map[string]bool) (waits bool) {
	o := c.s.Operation
	if o.Force {
		return false
	}
	for _, of := range n.needs() {
		if held[of.Key()] {
			waits = true
			continue
		}
		reason := c.supply(of).reason(of)
		if reason == nil {
			continue
		}
		waits, held[of.Key()] = true, true
		if known, ok := o.Holds[of.Key()]; !ok || known.Reason.Detail != reason.Detail {
			c.emit(Held{Operation: o.ID, Environment: of.Environment, Output: of.Output, Reason: reason})
		}
	}
	return waits
}

// reason says why an output can't be had yet, nil when it can, or never will as things are.
func (s Supply) reason(of Consumption) *Reason {
	if s.Ready {
		return nil
	}
	detail := fmt.Sprintf("needs output %q of environment %q, which is ", of.Output, of.Environment)
	switch s.Status {
	case "":
		detail += "not there: create it"
	case Failed, DestroyFailed:
		detail += string(s.Status) + ": mend it"
	default:
		detail += string(s.Status) + ": it goes on when that is deployed"
	}
	return &Reason{Code: BecauseEnvironment, Detail: detail}
}

// supplied says which resources the outputs come from that a step is given, or what will never be there as things are.
func (c *decision) supplied(n *Step) ([]Consumption, *fault.Error) {
	var list []Consumption
	for _, of := range n.needs() {
		s := c.supply(of)
		switch {
		case !s.Ready: // only a destroy by force does not wait
			return nil, fault.New(fault.GiveUp, fault.InputsUnresolved, "%s, and a destroy by force does not wait for it", s.reason(of).Detail)
		case s.Value == nil:
			return nil, fault.New(fault.GiveUp, fault.InputsUnresolved, "environment %q is deployed and has no output %q; it has: %s", of.Environment, of.Output, some(s.Outputs))
		}
		of.Resources = s.Resources
		list = append(list, of)
	}
	return list, nil
}

// handedOn tells whether all is there that the environment's own outputs hand on. It was, when their steps ended; but that
// may have been in an earlier turn.
func (c *decision) handedOn() bool {
	o := c.s.Operation
	works := o.Kind.makes() || o.Kind == RunOperation && o.Before == Deployed
	if !works || o.Error != nil || o.Status != OperationRunning {
		return true
	}
	held := map[string]bool{}
	if c.lacking(&Step{Verb: event.Validate}, held) {
		return false
	}
	waits := false
	for _, n := range c.s.Nodes {
		if n.passes() && !n.Doomed && !n.Down {
			waits = c.awaits(&Step{Node: n.Node, Verb: event.Validate}, held) || waits
		}
	}
	return !waits
}
