package api

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
)

const (
	// named is how many of the dependencies that a step waits for are called by their address.
	named = 3
	// mostSearched bounds how many nodes are looked at for what one step waits for.
	mostSearched = 500
)

// waits tells whether a step is shown with a reason. It is worked out when it is read: which of its dependencies are
// still to come changes without a new record of the one that waits.
func waits(r environment.ResourceRecord) bool {
	switch r.Step.State {
	case environment.StateBlocked, environment.StateQueued, environment.StateWaiting:
		return true
	default:
		return false
	}
}

// explainer says for what steps of an environment wait, from the records of all of them.
type explainer struct {
	byAddress  map[string]*environment.ResourceRecord
	dependents map[string][]string
	active     int                 // steps that take a place
	held       *environment.Reason // of all that would be begun
}

// explainer is one that knows what keeps this server from beginning anything.
func (s *Server) explainer(all []environment.ResourceRecord) *explainer {
	e := newExplainer(all)
	e.held = s.options.Held()
	return e
}

func newExplainer(all []environment.ResourceRecord) *explainer {
	e := &explainer{byAddress: make(map[string]*environment.ResourceRecord, len(all)), dependents: map[string][]string{}}
	for i := range all {
		r := &all[i]
		e.byAddress[r.Address] = r
		for _, on := range r.DependsOn {
			e.dependents[on] = append(e.dependents[on], r.Address)
		}
		if r.Step.State == environment.StateWaiting || r.Step.State == environment.StateRunning {
			e.active++
		}
	}
	return e
}

// explain returns the step with a reason in detail. The record itself may be shared and stays as it is.
func (e *explainer) explain(r *environment.ResourceRecord) environment.StepRecord {
	step := r.Step
	reason := environment.Reason{}
	if step.Reason != nil {
		reason = *step.Reason
	}
	switch {
	case step.State == environment.StateBlocked:
		e.blocked(r, &reason)
	case e.held != nil && waits(*r):
		reason = *e.held
	case step.State == environment.StateQueued:
		e.queued(step, &reason)
	case step.State == environment.StateWaiting:
		offered(r, &reason)
	default:
		return step
	}
	step.Reason = &reason
	return step
}

func (e *explainer) blocked(r *environment.ResourceRecord, reason *environment.Reason) {
	if reason.Code == "" {
		*reason = environment.Reason{Code: environment.BecauseDependency, Detail: "waits for what it depends on"}
	}
	if open := e.unmet(r); len(open) > 0 && reason.Code == environment.BecauseDependency {
		reason.Detail = waitsFor(r.Step.Verb, open)
	}
}

func waitsFor(verb event.Verb, addresses []string) string {
	if verb == event.Destruct {
		return "waits until these are gone: " + some(addresses)
	}
	return "waits for " + some(addresses)
}

// unmet are the steps that a blocked one waits for: what it depends on, or, when it is to be destroyed, what depends
// on it. Nodes that take no part in the operation pass the order on, so it is looked for behind them.
func (e *explainer) unmet(r *environment.ResourceRecord) []string {
	before := func(address string) []string {
		if r.Step.Verb == event.Destruct {
			return e.dependents[address]
		}
		if node := e.byAddress[address]; node != nil {
			return node.DependsOn
		}
		return nil
	}
	var open []string
	seen := map[string]bool{}
	for stack := slices.Clone(before(r.Address)); len(stack) > 0 && len(seen) < mostSearched; {
		address := stack[0]
		stack = stack[1:]
		other := e.byAddress[address]
		if seen[address] || other == nil {
			continue
		}
		seen[address] = true
		switch {
		case other.Step.Operation != r.Step.Operation || other.Step.State == "":
			stack = append(stack, before(address)...)
		case !other.Step.State.Ended():
			open = append(open, address)
		}
	}
	return open
}

func (e *explainer) queued(step environment.StepRecord, reason *environment.Reason) {
	switch reason.Code {
	case environment.BecauseEnvironmentLimit:
		reason.Detail = fmt.Sprintf("as many steps as this environment may have at once are under way: %d; it begins when one of them ends", e.active)
	case environment.BecauseBackoff, environment.BecauseLost:
		reason.Detail = fmt.Sprintf("attempt %d came to nothing; there will be another one", step.Attempt)
		if step.Error != nil {
			reason.Detail += ": " + step.Error.Message
		}
	case "":
		*reason = environment.Reason{Code: environment.BecauseEnvironmentLimit, Detail: "waits for its turn"}
	}
}

func offered(r *environment.ResourceRecord, reason *environment.Reason) {
	if reason.Code == "" {
		*reason = environment.Reason{Code: environment.BecauseOffered, Detail: fmt.Sprintf("offered to the runners of pool %q", r.PoolName())}
	}
}

// some names the first few: "a, b, c and 4 more".
func some(addresses []string) string {
	if len(addresses) <= named {
		return strings.Join(addresses, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(addresses[:named], ", "), len(addresses)-named)
}
