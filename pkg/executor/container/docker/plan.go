package docker

import (
	"context"
	"fmt"
	"slices"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor/container"
)

const running = "running"

// plan says what an apply would do.
func (w *work) plan(ctx context.Context) (event.Plan, error) {
	all, err := w.list(ctx)
	if err != nil {
		return event.Plan{}, err
	}
	if until := w.r.Until(); len(until) > 0 && len(all) > 0 {
		return event.Plan{Change: event.ChangeUnknown, Until: until}, nil
	}
	if err := w.lookAtImage(ctx); err != nil {
		return event.Plan{}, err
	}
	if len(all) == 0 {
		return event.Plan{Change: event.ChangeCreate, Differences: w.fresh()}, nil
	}
	return w.planReplicas(ctx, all)
}

// fresh is all that the block says, as what would be made.
func (w *work) fresh() []event.Difference {
	differences := w.differ(w.wanted(nil), nil, nil)
	for path, content := range w.block.Files {
		differences = append(differences, event.Difference{
			Path: filePath(w.r.Mask(path)), Change: event.ChangeCreate, Sensitive: w.r.Mask(content) != content,
		})
	}
	for n := 1; n <= w.block.Replicas; n++ {
		differences = append(differences, event.Difference{Path: replicaPath(n), Change: event.ChangeCreate, After: running})
	}
	slices.SortStableFunc(differences, byPath)
	return differences
}

func (w *work) planReplicas(ctx context.Context, all []found) (event.Plan, error) {
	imageID := ""
	if w.image != nil {
		imageID = w.image.ID
	}
	replaced, counted, err := w.changes(ctx, all, imageID)
	if err != nil {
		return event.Plan{}, err
	}
	plan := event.Plan{Change: event.ChangeNone, Differences: append(replaced, counted...)}
	switch {
	case len(replaced) > 0:
		plan.Change = event.ChangeReplace
	case w.block.Pull == container.PullAlways:
		plan = event.Plan{Change: event.ChangeUnknown, Until: []string{"the image is pulled"}, Differences: counted}
	case len(counted) > 0:
		plan.Change = event.ChangeUpdate
	}
	return plan, nil
}

// changes are the differences in what containers are made of, each once, and those in how many there are and how they are.
func (w *work) changes(ctx context.Context, all []found, imageID string) (made, counted []event.Difference, err error) {
	seen := map[int]bool{}
	for _, f := range all {
		n := f.replica()
		differences, err := w.compare(ctx, f, imageID)
		if err != nil {
			return nil, nil, err
		}
		switch {
		case n < 1 || n > w.block.Replicas || seen[n]:
			counted = append(counted, event.Difference{Path: replicaPath(n), Change: event.ChangeDestroy, Before: f.state()})
			continue
		case len(differences) == 0 && !f.asItShouldBe(w.block):
			counted = append(counted, event.Difference{Path: replicaPath(n), Change: event.ChangeReplace, Before: f.state(), After: running})
		}
		seen[n] = true
		for _, d := range differences {
			if !slices.ContainsFunc(made, func(o event.Difference) bool { return o.Path == d.Path }) {
				made = append(made, d)
			}
		}
	}
	for n := 1; n <= w.block.Replicas; n++ {
		if !seen[n] {
			counted = append(counted, event.Difference{Path: replicaPath(n), Change: event.ChangeCreate, After: running})
		}
	}
	slices.SortStableFunc(counted, byPath)
	return made, counted, nil
}

// planDestroy names what would be removed.
func (w *work) planDestroy(ctx context.Context) (event.Plan, error) {
	names, err := w.left(ctx)
	if err != nil || len(names) == 0 {
		return event.Plan{Change: event.ChangeNone}, err
	}
	plan := event.Plan{Change: event.ChangeDestroy}
	for _, name := range names {
		plan.Differences = append(plan.Differences, event.Difference{Path: w.r.Mask(name), Change: event.ChangeDestroy})
	}
	return plan, nil
}

func replicaPath(n int) string { return fmt.Sprintf("replica %d", n) }

func byPath(a, b event.Difference) int {
	switch {
	case a.Path < b.Path:
		return -1
	case a.Path > b.Path:
		return 1
	}
	return 0
}
