package process

import (
	"context"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/container"
	"github.com/vivarium-env/vivarium/pkg/executor/container/internal/replicas"
	"github.com/vivarium-env/vivarium/pkg/executor/container/process/supervisor"
)

func (w *work) observe(ctx context.Context) (event.Observation, error) {
	all, err := w.list()
	if err != nil {
		return event.Observation{Presence: event.PresenceUnknown}, err
	}
	return w.target().Observe(ctx, all)
}

// health is a difference for a process that runs and is not healthy.
func (w *work) health(ctx context.Context, f found) []event.Difference {
	if w.block.Health == nil || !f.alive || f.state.Phase != supervisor.Running {
		return nil // what does not run is a difference already
	}
	return replicas.Ailing(ctx, w.r, f, w.ping(ctx, f))
}

// outputs are those of the replicas once all is as wanted.
func (w *work) outputs() (executor.Outputs, error) {
	o := container.Outputs{ImageID: w.program.id, Host: host, Ports: map[string]int{}}
	for n := 1; n <= w.block.Replicas; n++ {
		o.Names, o.Addresses = append(o.Names, w.name(n)), append(o.Addresses, host)
	}
	for _, p := range w.block.Ports {
		o.Ports[p.Key()] = p.Container
	}
	return o.Values(w.r), nil
}
