package process

import (
	"context"
	"encoding/json"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/container"
	"github.com/vivarium-env/vivarium/pkg/executor/container/process/supervisor"
)

// observe compares what is there with the block, and with what the last apply put out.
func (w *work) observe(ctx context.Context) (event.Observation, error) {
	o := event.Observation{Presence: event.PresenceUnknown}
	all, err := w.list()
	if err != nil {
		return o, err
	}
	if len(all) == 0 {
		return w.observeNone()
	}
	made, counted, err := w.changes(all, w.appliedImage())
	if err != nil {
		return o, err
	}
	differences := append(turned(made), turned(counted)...)
	for _, f := range all {
		differences = append(differences, w.health(ctx, f)...)
	}
	return event.Observation{Presence: event.Present, Drifted: len(differences) > 0, Differences: differences}, nil
}

// observeNone is for a step without replicas: it may have a volume all the same.
func (w *work) observeNone() (event.Observation, error) {
	left, err := w.left()
	if err != nil {
		return event.Observation{Presence: event.PresenceUnknown}, err
	}
	o := event.Observation{Presence: event.Absent}
	if len(left) > 0 {
		o.Presence = event.Present
	}
	if w.r.Outputs == nil {
		return o, nil // nothing was applied, so nothing is other than it was left
	}
	o.Drifted = true
	for n := 1; n <= w.block.Replicas; n++ {
		o.Differences = append(o.Differences, event.Difference{Path: replicaPath(n), Change: event.ChangeDestroy, Before: running})
	}
	return o, nil
}

// turned makes of what would be done what has happened.
func turned(differences []event.Difference) []event.Difference {
	back := map[event.Change]event.Change{event.ChangeCreate: event.ChangeDestroy, event.ChangeDestroy: event.ChangeCreate}
	for i := range differences {
		d := &differences[i]
		d.Before, d.After = d.After, d.Before
		if other, ok := back[d.Change]; ok {
			d.Change = other
		}
	}
	return differences
}

// health is a difference for a process that runs and is not healthy.
func (w *work) health(ctx context.Context, f found) []event.Difference {
	if w.block.Health == nil || !f.alive || f.state.Phase != supervisor.Running {
		return nil // what does not run is a difference already
	}
	why := w.ping(ctx, f)
	if why == "" || ctx.Err() != nil {
		return nil
	}
	return []event.Difference{{Path: replicaPath(f.replica()) + " health", Change: event.ChangeUpdate, Before: "healthy", After: w.r.Mask(why)}}
}

// appliedImage is the id of the program that the last apply used, "" when nothing says: a newer one may have been installed since,
// which is a change to come, and no drift of what runs.
func (w *work) appliedImage() (id string) {
	var outputs map[string]json.RawMessage
	if json.Unmarshal(w.r.Outputs, &outputs) == nil {
		_ = json.Unmarshal(outputs["image_id"], &id) // none is none
	}
	return id
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
