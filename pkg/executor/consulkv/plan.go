package consulkv

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/consul/api"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
)

// Plan reads the keys and tells which of them would be written and removed. Where Apply would fail, because a key is
// somebody else's, so does Plan.
func (e *Executor) Plan(ctx context.Context, r executor.Request, verb event.Verb) (executor.Plan, error) {
	w, err := e.begin(ctx, r)
	if err != nil {
		return executor.Plan{}, err
	}
	look := w.planApply
	if verb == event.Destruct {
		look = w.planDestroy
	}
	plan, err := look(ctx)
	return executor.Plan{Plan: plan}, err
}

func (w *work) planDestroy(ctx context.Context) (event.Plan, error) {
	plan := event.Plan{Change: event.ChangeNone}
	for _, p := range w.places() {
		found, err := w.read(ctx, p)
		if err != nil {
			return plan, err
		}
		changes, _ := w.changes(p, found, nil, nil)
		if len(changes) > 0 {
			plan.Change = event.ChangeDestroy
		}
		plan.Differences = append(plan.Differences, w.planned(p, found, changes)...)
		if err := w.prove(ctx, p, found); err != nil {
			return plan, err
		}
	}
	return plan, nil
}

func (w *work) planApply(ctx context.Context) (event.Plan, error) {
	unknown, all := w.unknown()
	if all {
		return event.Plan{Change: event.ChangeUnknown, Until: w.r.Until()}, nil
	}
	want, err := w.block.render(w.r)
	if err != nil {
		return event.Plan{}, err
	}
	maps.DeleteFunc(want, func(key string, _ []byte) bool { return unknown[key] != nil })
	keep := func(pair *api.KVPair) bool { return unknown[pair.Key] != nil }
	found, err := w.read(ctx, w.here)
	if err != nil {
		return event.Plan{}, err
	}
	if err := w.prove(ctx, w.here, found); err != nil {
		return event.Plan{}, err
	}
	changes, foreign := w.changes(w.here, found, want, keep)
	if len(foreign) > 0 {
		return event.Plan{}, w.taken(foreign)
	}
	if err := w.absent(found); err != nil {
		return event.Plan{}, err
	}
	plan := event.Plan{Differences: w.planned(w.here, found, w.besidesMarks(found, changes))}
	moved, err := w.planLeave(ctx, want, &plan)
	if err != nil {
		return plan, err
	}
	plan.Change = w.changeOf(len(w.owned(w.here, found)) > 0, moved, len(plan.Differences) > 0)
	w.await(&plan, unknown)
	return plan, nil
}

// planLeave tells what would be removed from where the last apply wrote, when that was elsewhere.
func (w *work) planLeave(ctx context.Context, want wanted, plan *event.Plan) (moved bool, err error) {
	keep, err := w.leaving(ctx, want)
	if err != nil || keep == nil {
		return false, err
	}
	found, err := w.read(ctx, w.before.place)
	if err != nil {
		return false, err
	}
	changes, _ := w.changes(w.before.place, found, nil, keep)
	plan.Differences = append(plan.Differences, w.planned(w.before.place, found, changes)...)
	return len(changes) > 0, nil
}

func (w *work) changeOf(there, moved, differs bool) event.Change {
	switch {
	case moved:
		return event.ChangeReplace
	case !there && (differs || w.r.Outputs == nil):
		return event.ChangeCreate
	case differs:
		return event.ChangeUpdate
	}
	return event.ChangeNone
}

// await adds the keys whose values are not known yet.
func (w *work) await(plan *event.Plan, unknown map[string][]string) {
	for _, key := range slices.Sorted(maps.Keys(unknown)) {
		plan.Differences = append(plan.Differences, event.Difference{Path: w.path(w.here, key), Change: event.ChangeUnknown, Until: unknown[key]})
	}
	if len(unknown) > 0 && plan.Change == event.ChangeNone {
		plan.Change, plan.Until = event.ChangeUnknown, w.r.Until()
	}
}

// unknown are the keys, in full, whose values are not known, and what each waits for. all: which keys there will be, and
// where, is not known either.
func (w *work) unknown() (keys map[string][]string, all bool) {
	keys = map[string][]string{}
	names, _ := w.block.keys()
	for path, until := range w.r.Unknown {
		rest, below := strings.CutPrefix(path, "keys")
		found := false
		for name := range names {
			if below && under(rest, name) {
				found = true
				full := w.here.folder() + name
				keys[full] = append(keys[full], until...)
			}
		}
		if !found {
			return nil, true
		}
	}
	for key, until := range keys {
		slices.Sort(until)
		keys[key] = slices.Compact(until)
	}
	return keys, false
}

// under tells whether a path, such as ".name", ".name.more" or ["name"], is that of a member or leads into it.
func under(path, name string) bool {
	for _, start := range []string{"." + name, `["` + name + `"]`} {
		if rest, ok := strings.CutPrefix(path, start); ok && (rest == "" || rest[0] == '.' || rest[0] == '[') {
			return true
		}
	}
	return false
}
