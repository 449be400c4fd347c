package executor

import (
	"slices"

	"github.com/vivarium-env/vivarium/pkg/event"
)

// Look makes an Observation of what was found, for executors that see no more than that.
func Look(p event.Presence, err error) (event.Observation, error) {
	return event.Observation{Presence: p}, err
}

// PlanOf is the plan of an executor that knows nothing but whether the resource is there.
func PlanOf(p event.Presence, err error, verb event.Verb) (Plan, error) {
	change := event.ChangeUnknown
	switch {
	case p == event.Absent && verb == event.Apply:
		change = event.ChangeCreate
	case p == event.Present && verb == event.Destruct:
		change = event.ChangeDestroy
	case p == event.Absent:
		change = event.ChangeNone
	}
	plan := Plan{Plan: event.Plan{Change: change}}
	if change == event.ChangeUnknown {
		plan.Until = []string{"it is applied"}
	}
	return plan, err
}

// Until names all that the unknown inputs wait for, in order and once each.
func (r Request) Until() []string {
	var until []string
	for _, names := range r.Unknown {
		until = append(until, names...)
	}
	slices.Sort(until)
	return slices.Compact(until)
}
