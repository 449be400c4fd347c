package docker

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"

	dcontainer "github.com/moby/moby/api/types/container"

	"github.com/vivarium-env/vivarium/pkg/event"
)

const healthyWord = "healthy"

// observe compares what is there with the block, and with what the last apply put out.
func (w *work) observe(ctx context.Context) (event.Observation, error) {
	o := event.Observation{Presence: event.PresenceUnknown}
	all, err := w.list(ctx)
	if err != nil {
		return o, err
	}
	if len(all) == 0 {
		return w.observeNone(ctx)
	}
	made, counted, err := w.changes(ctx, all, w.appliedImage())
	if err != nil {
		return o, err
	}
	differences := append(turned(made), turned(counted)...)
	for _, f := range all {
		differences = append(differences, w.health(ctx, f)...)
		differences = append(differences, w.moved(f)...)
	}
	return event.Observation{Presence: event.Present, Drifted: len(differences) > 0, Differences: differences}, nil
}

// observeNone is for a step without containers: it may have a network or a volume all the same.
func (w *work) observeNone(ctx context.Context) (event.Observation, error) {
	left, err := w.left(ctx)
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

// health is a difference for a container that runs and is not healthy.
func (w *work) health(ctx context.Context, f found) []event.Difference {
	if !f.State.Running || f.State.Paused {
		return nil // which is a difference already
	}
	why := ""
	switch h := f.State.Health; {
	case h != nil && h.Status == dcontainer.Unhealthy:
		why = lastCheck(h)
	case w.probePort() != 0:
		why = w.ping(ctx, f)
	}
	if why == "" || ctx.Err() != nil {
		return nil
	}
	return []event.Difference{{Path: replicaPath(f.replica()) + " health", Change: event.ChangeUpdate, Before: healthyWord, After: w.r.Mask(why)}}
}

// moved are ports of the first replica that Docker has chosen anew, as it does when a container is restarted: others were told
// the ones before.
func (w *work) moved(f found) (differences []event.Difference) {
	if f.replica() != 1 || !f.State.Running {
		return nil
	}
	before := map[string]int{}
	if json.Unmarshal(w.output("ports"), &before) != nil {
		return nil
	}
	for _, p := range w.block.Ports {
		if was, is := before[p.Key()], f.published(p); was != 0 && is != was {
			differences = append(differences, event.Difference{
				Path: "port." + p.Key(), Change: event.ChangeUpdate, Before: strconv.Itoa(was), After: strconv.Itoa(is),
			})
		}
	}
	slices.SortFunc(differences, byPath)
	return differences
}

// appliedImage is the id of the image that the last apply used, "" when nothing says: a tag may have moved on since, which is no
// drift.
func (w *work) appliedImage() string {
	var id string
	_ = json.Unmarshal(w.output("image_id"), &id) // none is none
	return id
}

func (w *work) output(name string) json.RawMessage {
	var outputs map[string]json.RawMessage
	if json.Unmarshal(w.r.Outputs, &outputs) != nil || outputs[name] == nil {
		return json.RawMessage("null")
	}
	return outputs[name]
}
