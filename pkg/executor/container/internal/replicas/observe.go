package replicas

import (
	"context"
	"encoding/json"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
)

// Observe compares what is there with the block, and with what the last apply put out.
func (t Target[R]) Observe(ctx context.Context, all []R) (event.Observation, error) {
	if len(all) == 0 {
		return t.observeNone(ctx)
	}
	made, counted, err := t.changes(ctx, all, appliedImage(t.Request))
	if err != nil {
		return event.Observation{Presence: event.PresenceUnknown}, err
	}
	differences := append(turned(made), turned(counted)...)
	for _, f := range all {
		differences = append(differences, t.Drift(ctx, f)...)
	}
	return event.Observation{Presence: event.Present, Drifted: len(differences) > 0, Differences: differences}, nil
}

// Presence is for a block that says nothing about how what is there should be.
func (t Target[R]) Presence(ctx context.Context) (event.Observation, error) {
	o, err := t.observeNone(ctx)
	if err == nil && o.Presence == event.Present {
		o.Drifted, o.Differences = false, nil
	}
	return o, err
}

// observeNone is for a step without replicas: it may have a network or a volume all the same.
func (t Target[R]) observeNone(ctx context.Context) (event.Observation, error) {
	left, err := t.Left(ctx)
	if err != nil {
		return event.Observation{Presence: event.PresenceUnknown}, err
	}
	o := event.Observation{Presence: event.Absent}
	if len(left) > 0 {
		o.Presence = event.Present
	}
	if t.Request.Outputs == nil {
		return o, nil // nothing was applied, so nothing is other than it was left
	}
	o.Drifted = true
	for n := 1; n <= t.Block.Replicas; n++ {
		o.Differences = append(o.Differences, event.Difference{Path: path(n), Change: event.ChangeDestroy, Before: running})
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

// Ailing is the difference of a replica that runs and is not healthy, as why says; none where that is "", or where ctx has ended.
func Ailing(ctx context.Context, r executor.Request, f Replica, why string) []event.Difference {
	if why == "" || ctx.Err() != nil {
		return nil
	}
	return []event.Difference{{Path: path(f.Number()) + " health", Change: event.ChangeUpdate, Before: "healthy", After: r.Mask(why)}}
}

// appliedImage is the id of the image that the last apply used, "" when nothing says: the same name may stand for a newer one since, which
// is a change to come, and no drift of what runs.
func appliedImage(r executor.Request) (id string) {
	_ = json.Unmarshal(Output(r, "image_id"), &id) // none is none
	return id
}

// Output is what the last apply put out by a name, null for nothing.
func Output(r executor.Request, name string) json.RawMessage {
	var outputs map[string]json.RawMessage
	if json.Unmarshal(r.Outputs, &outputs) != nil || outputs[name] == nil {
		return json.RawMessage("null")
	}
	return outputs[name]
}
