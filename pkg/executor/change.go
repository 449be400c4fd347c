package executor

import (
	"slices"

	"github.com/vivarium-env/vivarium/pkg/event"
)

// Look makes an Observation of what was found, for executors that see no more than that.
func Look(p event.Presence, err error) (event.Observation, error) {
	return event.Observation{Presence: p}, err
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
