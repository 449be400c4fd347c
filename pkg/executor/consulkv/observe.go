package consulkv

import (
	"context"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
)

// Observe tells whether any key of the step's own is there, and how the keys differ from what the last successful apply
// left, as its inputs say.
func (e *Executor) Observe(ctx context.Context, r executor.Request) (event.Observation, error) {
	w, err := e.begin(ctx, r)
	if err != nil {
		return event.Observation{Presence: event.PresenceUnknown}, err
	}
	seen := event.Observation{Presence: event.Absent}
	for _, p := range w.places() {
		found, err := w.read(ctx, p)
		if err != nil {
			return event.Observation{Presence: event.PresenceUnknown}, err
		}
		if len(w.owned(p, found)) > 0 {
			seen.Presence = event.Present
		}
		if err := w.prove(ctx, p, found); err != nil {
			return event.Observation{Presence: event.PresenceUnknown}, err
		}
		if p == w.here {
			w.compare(&seen, found)
		}
	}
	seen.Drifted = len(seen.Differences) > 0
	return seen, nil
}

// compare adds the drift. There is none where nothing was applied, or not with these inputs.
func (w *work) compare(seen *event.Observation, found tree) {
	if w.r.Outputs == nil || w.before.place != w.here {
		return
	}
	if want, err := w.block.render(w.r); err == nil {
		seen.Differences = w.drift(found, want)
	}
}
