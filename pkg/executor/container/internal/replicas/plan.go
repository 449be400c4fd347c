package replicas

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/vivarium-env/vivarium/pkg/event"
)

const running = "running"

// Plan says what an apply would do where there are replicas already. What they are made of is compared with the image of that id, "" to
// leave that aside.
func (t Target[R]) Plan(ctx context.Context, all []R, imageID string) (event.Plan, error) {
	made, counted, err := t.changes(ctx, all, imageID)
	if err != nil {
		return event.Plan{}, err
	}
	plan := event.Plan{Change: event.ChangeNone, Differences: append(made, counted...)}
	switch {
	case len(made) > 0:
		plan.Change = event.ChangeReplace
	case len(counted) > 0:
		plan.Change = event.ChangeUpdate
	}
	return plan, nil
}

// PlanCreate is for a step without replicas; made is all that the block says of one.
func (t Target[R]) PlanCreate(made []event.Difference) event.Plan {
	for n := 1; n <= t.Block.Replicas; n++ {
		made = append(made, event.Difference{Path: path(n), Change: event.ChangeCreate, After: running})
	}
	slices.SortStableFunc(made, ByPath)
	return event.Plan{Change: event.ChangeCreate, Differences: made}
}

// PlanDestroy names what would be removed.
func (t Target[R]) PlanDestroy(ctx context.Context) (event.Plan, error) {
	names, err := t.Left(ctx)
	if err != nil || len(names) == 0 {
		return event.Plan{Change: event.ChangeNone}, err
	}
	plan := event.Plan{Change: event.ChangeDestroy}
	for _, name := range names {
		plan.Differences = append(plan.Differences, event.Difference{Path: t.Request.Mask(name), Change: event.ChangeDestroy})
	}
	return plan, nil
}

// changes are the differences in what replicas are made of, each once, and those in how many there are and how they are.
func (t Target[R]) changes(ctx context.Context, all []R, imageID string) (made, counted []event.Difference, err error) {
	seen := map[int]bool{}
	for _, f := range all {
		n := f.Number()
		differences, err := t.Compare(ctx, f, imageID)
		if err != nil {
			return nil, nil, err
		}
		switch {
		case n < 1 || n > t.Block.Replicas || seen[n]:
			counted = append(counted, event.Difference{Path: path(n), Change: event.ChangeDestroy, Before: f.Word()})
			continue
		case len(differences) == 0 && !f.AsItShouldBe(t.Block):
			counted = append(counted, event.Difference{Path: path(n), Change: event.ChangeReplace, Before: f.Word(), After: running})
		}
		seen[n] = true
		for _, d := range differences {
			if !slices.ContainsFunc(made, func(o event.Difference) bool { return o.Path == d.Path }) {
				made = append(made, d)
			}
		}
	}
	for n := 1; n <= t.Block.Replicas; n++ {
		if !seen[n] {
			counted = append(counted, event.Difference{Path: path(n), Change: event.ChangeCreate, After: running})
		}
	}
	slices.SortStableFunc(counted, ByPath)
	return made, counted, nil
}

// path of a replica in plans and looks.
func path(n int) string { return fmt.Sprintf("replica %d", n) }

// ByPath is the order of differences.
func ByPath(a, b event.Difference) int { return cmp.Compare(a.Path, b.Path) }
