package api

import (
	"fmt"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
)

// named is how many of the dependencies that a step waits for are called by their address.
const named = 3

// waits tells whether a step's reason is worked out when it is read: which of its dependencies are still to come
// changes without a new record of the one that waits.
func waits(r environment.ResourceRecord) bool {
	return r.Step.State == environment.StateBlocked || r.Step.State == environment.StateQueued
}

// explainer says for what steps of an environment wait, from the records of all of them.
type explainer struct {
	byAddress  map[string]*environment.ResourceRecord
	dependents map[string][]string
	active     int // steps that take a place
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
	switch step.State {
	case environment.StateBlocked:
		e.blocked(r, &reason)
	case environment.StateQueued:
		e.queued(step, &reason)
	default:
		return step
	}
	if reason != (environment.Reason{}) {
		step.Reason = &reason
	}
	return step
}

func (e *explainer) blocked(r *environment.ResourceRecord, reason *environment.Reason) {
	if reason.Code == "" {
		reason.Code = "dependency"
	}
	before, what := r.DependsOn, "waits for "
	if r.Step.Verb == event.Destruct {
		before, what = e.dependents[r.Address], "waits until these are gone: "
	}
	if open := e.open(before, r.Step.Operation); len(open) > 0 && reason.Code == "dependency" {
		reason.Detail = what + some(open)
	}
}

// open are those whose step in the operation is not over.
func (e *explainer) open(addresses []string, operation string) []string {
	var open []string
	for _, address := range addresses {
		other := e.byAddress[address]
		if other == nil || other.Step.Operation != operation || other.Step.State == "" || other.Step.State.Ended() {
			continue
		}
		open = append(open, address)
	}
	return open
}

func (e *explainer) queued(step environment.StepRecord, reason *environment.Reason) {
	switch {
	case reason.Code == "environment-limit":
		reason.Detail = fmt.Sprintf("as many steps as this environment may have at once are under way: %d", e.active)
	case reason.Code == "backoff" && step.Attempt > 0:
		reason.Detail = fmt.Sprintf("attempt %d came to nothing; there will be another one", step.Attempt)
	}
}

// some names the first few: "a, b, c and 4 more".
func some(addresses []string) string {
	if len(addresses) <= named {
		return strings.Join(addresses, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(addresses[:named], ", "), len(addresses)-named)
}
