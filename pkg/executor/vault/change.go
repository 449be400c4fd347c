package vault

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/secret"
)

// view is what a look at a resource found. Nothing in Vault is changed by it.
type view struct {
	// there: something of the step's is at the place that the inputs name; elsewhere: at the one of the last apply.
	there, elsewhere bool
	// asked are the differences that an apply would make, left those from what the last apply left. Both are in order.
	asked, left []event.Difference
}

// viewer is what each kind has of its own; its error is that of the apply.
type viewer interface {
	// identity are the attributes without which nobody can tell where to look.
	identity() []string
	view(ctx context.Context, r executor.Request) (view, error)
	// traces are the paths of what is the step's, whatever the inputs say.
	traces(ctx context.Context, r executor.Request) ([]string, error)
}

// planOf is the Plan of every kind.
func planOf(ctx context.Context, k viewer, r executor.Request, verb event.Verb) (executor.Plan, error) {
	var plan event.Plan
	var err error
	switch {
	case verb == event.Destruct:
		plan, err = planDestroy(ctx, k, r)
	case len(r.Unknown) > 0:
		plan, err = planUnknown(ctx, k, r)
	default:
		plan, err = planApply(ctx, k, r)
	}
	return executor.Plan{Plan: plan}, err
}

func planDestroy(ctx context.Context, k viewer, r executor.Request) (event.Plan, error) {
	owned, err := k.traces(ctx, r)
	plan := event.Plan{Change: event.ChangeNone}
	for _, path := range owned {
		plan.Change = event.ChangeDestroy
		plan.Differences = append(plan.Differences, event.Difference{Path: r.Mask(path), Change: event.ChangeDestroy})
	}
	return plan, err
}

// planUnknown is certain only of what is not there yet, in a place that is known.
func planUnknown(ctx context.Context, k viewer, r executor.Request) (event.Plan, error) {
	plan := event.Plan{Change: event.ChangeUnknown, Until: r.Until()}
	for _, path := range slices.Sorted(maps.Keys(r.Unknown)) {
		attribute, _, _ := strings.Cut(strings.ReplaceAll(path, "[", "."), ".")
		if slices.Contains(k.identity(), attribute) {
			plan.Differences = nil
			return plan, nil
		}
		plan.Differences = append(plan.Differences, event.Difference{Path: r.Mask(path), Change: event.ChangeUnknown, Until: r.Unknown[path]})
	}
	owned, err := k.traces(ctx, r)
	if len(owned) == 0 && err == nil {
		plan.Change, plan.Until = event.ChangeCreate, nil
	}
	return plan, err
}

func planApply(ctx context.Context, k viewer, r executor.Request) (event.Plan, error) {
	v, err := k.view(ctx, r)
	plan := event.Plan{Change: event.ChangeNone, Differences: v.asked}
	switch {
	case err != nil:
		return event.Plan{}, err
	case v.elsewhere:
		plan.Change = event.ChangeReplace
	case !v.there:
		plan.Change = event.ChangeCreate
	case len(v.asked) > 0:
		plan.Change = event.ChangeUpdate
	}
	return plan, nil
}

// observationOf is the Observe of every kind. Drift is told where something was applied and lies where the inputs say.
func observationOf(ctx context.Context, k viewer, r executor.Request) (event.Observation, error) {
	owned, err := k.traces(ctx, r)
	if err != nil {
		return event.Observation{Presence: event.PresenceUnknown}, err
	}
	seen := event.Observation{Presence: event.Absent}
	if len(owned) > 0 {
		seen.Presence = event.Present
	}
	if r.Outputs == nil {
		return seen, nil
	}
	v, err := k.view(ctx, r)
	switch {
	case err != nil && fault.From(err).Code == fault.Exists:
		seen.Differences = []event.Difference{{Path: "owner", Change: event.ChangeReplace, Before: r.Environment + "/" + r.Step, After: "somebody else"}}
	case err != nil:
		return event.Observation{Presence: event.PresenceUnknown}, err
	case !v.elsewhere:
		seen.Differences = v.left
	}
	seen.Drifted = len(seen.Differences) > 0
	return seen, nil
}

// concealed is a difference whose values nobody may see.
func concealed(path string, change event.Change) event.Difference {
	d := event.Difference{Path: path, Change: change, Before: secret.Shown, After: secret.Shown, Sensitive: true}
	switch change {
	case event.ChangeCreate:
		d.Before = ""
	case event.ChangeDestroy:
		d.After = ""
	}
	return d
}

// open is a difference of values that everybody may see, unless they hold a secret of the request.
func open(r executor.Request, path, before, after string) event.Difference {
	if r.Mask(before) != before || r.Mask(after) != after {
		return concealed(r.Mask(path), event.ChangeUpdate)
	}
	return event.Difference{Path: r.Mask(path), Change: event.ChangeUpdate, Before: before, After: after}
}

// created is open for what is not there.
func created(r executor.Request, path, after string) event.Difference {
	d := open(r, path, "", after)
	if d.Change = event.ChangeCreate; d.Sensitive {
		d.Before = ""
	}
	return d
}

// gone is for what was there, and no longer is.
func gone(r executor.Request, path string) event.Difference {
	return event.Difference{Path: r.Mask(path), Change: event.ChangeDestroy}
}

// hiddenDifferences compares values that nobody may see, from before to after.
func hiddenDifferences[V comparable](r executor.Request, prefix string, before, after map[string]V) (differences []event.Difference) {
	for _, name := range slices.Sorted(maps.Keys(before)) {
		path := prefix + r.Mask(name)
		if now, ok := after[name]; !ok {
			differences = append(differences, concealed(path, event.ChangeDestroy))
		} else if now != before[name] {
			differences = append(differences, concealed(path, event.ChangeUpdate))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(after)) {
		if _, ok := before[name]; !ok {
			differences = append(differences, concealed(prefix+r.Mask(name), event.ChangeCreate))
		}
	}
	slices.SortStableFunc(differences, func(a, b event.Difference) int { return cmp.Compare(a.Path, b.Path) })
	return differences
}

// ownedPlaces are those of the places that have a secret of ours.
func (s session) ownedPlaces(ctx context.Context, places []place) (owned []string, err error) {
	for _, p := range places {
		r, err := s.look(ctx, p)
		if err != nil {
			return nil, err
		}
		if r.exists && r.custom[mark] == s.owner() {
			owned = append(owned, p.String())
		}
	}
	return owned, nil
}

// numbered is a version as people read it.
func numbered(n int) string { return fmt.Sprint(n) }
