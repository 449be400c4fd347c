package process

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/event"
)

const running = "running"

// plan says what an apply would do.
func (w *work) plan() (event.Plan, error) {
	all, err := w.list()
	if err != nil {
		return event.Plan{}, err
	}
	until := w.r.Until()
	switch {
	case len(until) > 0 && len(all) > 0:
		return event.Plan{Change: event.ChangeUnknown, Until: until}, nil
	case len(until) == 0:
		if err := w.find(); err != nil {
			return event.Plan{}, err
		}
	}
	if len(all) == 0 {
		return event.Plan{Change: event.ChangeCreate, Differences: w.fresh()}, nil
	}
	replaced, counted, err := w.changes(all, w.program.id)
	plan := event.Plan{Change: event.ChangeNone, Differences: append(replaced, counted...)}
	switch {
	case len(replaced) > 0:
		plan.Change = event.ChangeReplace
	case len(counted) > 0:
		plan.Change = event.ChangeUpdate
	}
	return plan, err
}

// fresh is all that the block says, as what would be made.
func (w *work) fresh() []event.Difference {
	differences := w.differ(w.wanted(), nil, nil)
	for n := 1; n <= w.block.Replicas; n++ {
		differences = append(differences, event.Difference{Path: replicaPath(n), Change: event.ChangeCreate, After: running})
	}
	slices.SortStableFunc(differences, byPath)
	return differences
}

// changes are the differences in what replicas are made of, each once, and those in how many there are and how they are.
func (w *work) changes(all []found, imageID string) (made, counted []event.Difference, err error) {
	seen := map[int]bool{}
	for _, f := range all {
		n := f.replica()
		differences, err := w.compare(f, imageID)
		if err != nil {
			return nil, nil, err
		}
		switch {
		case n < 1 || n > w.block.Replicas || seen[n]:
			counted = append(counted, event.Difference{Path: replicaPath(n), Change: event.ChangeDestroy, Before: f.stateWord()})
			continue
		case len(differences) == 0 && !f.asItShouldBe(w.block):
			counted = append(counted, event.Difference{Path: replicaPath(n), Change: event.ChangeReplace, Before: f.stateWord(), After: running})
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
func (w *work) planDestroy() (event.Plan, error) {
	names, err := w.left()
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

func byPath(a, b event.Difference) int { return cmp.Compare(a.Path, b.Path) }

// describe joins names for people.
func describe(names []string) string { return strings.Join(names, ", ") }
