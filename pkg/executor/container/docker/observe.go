package docker

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"

	dcontainer "github.com/moby/moby/api/types/container"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor/container/internal/replicas"
)

func (w *work) observe(ctx context.Context) (event.Observation, error) {
	all, err := w.list(ctx)
	if err != nil {
		return event.Observation{Presence: event.PresenceUnknown}, err
	}
	return w.target().Observe(ctx, all)
}

func (w *work) drift(ctx context.Context, f found) []event.Difference {
	return append(w.health(ctx, f), w.moved(f)...)
}

// health is a difference for a container that runs and is not healthy.
func (w *work) health(ctx context.Context, f found) []event.Difference {
	if !f.State.Running || f.State.Paused {
		return nil // which is a difference already
	}
	why := ""
	switch h := f.State.Health; {
	case h != nil && h.Status == dcontainer.Unhealthy:
		why = lastCheck(h)
	case w.block.Health.Port() != 0:
		why = w.ping(ctx, f)
	}
	return replicas.Ailing(ctx, w.r, f, why)
}

// moved are ports of the first replica that Docker has chosen anew, as it does when a container is restarted: others were told
// the ones before.
func (w *work) moved(f found) (differences []event.Difference) {
	if f.Number() != 1 || !f.State.Running {
		return nil
	}
	before := map[string]int{}
	if json.Unmarshal(replicas.Output(w.r, "ports"), &before) != nil {
		return nil
	}
	for _, p := range w.block.Ports {
		if was, is := before[p.Key()], f.published(p); was != 0 && is != was {
			differences = append(differences, event.Difference{
				Path: "port." + p.Key(), Change: event.ChangeUpdate, Before: strconv.Itoa(was), After: strconv.Itoa(is),
			})
		}
	}
	slices.SortFunc(differences, replicas.ByPath)
	return differences
}
