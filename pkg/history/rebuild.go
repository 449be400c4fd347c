package history

import (
	"context"
	"maps"
	"slices"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// Fold takes the entries of one partition in their order, and knows then all that the projection holds of them. It keeps
// every environment in memory, as the partition's owner does. It is not safe for concurrent use.
type Fold struct {
	all   map[string]*life
	order []*life
}

// NewFold is of no entries yet.
func NewFold() *Fold { return &Fold{all: map[string]*life{}} }

// Add takes in the next entry. A fact that this version does not know, or that can't follow, is the error, which names it.
func (f *Fold) Add(e store.Entry) error {
	l := f.all[e.Environment]
	if l == nil {
		l = newLife(e.Environment)
		f.all[e.Environment], f.order = l, append(f.order, l)
	}
	return l.evolve(e)
}

// Changes hands out, environment by environment, its records and every operation that it ever had, with the name in
// Created, so that nothing older is left.
func (f *Fold) Changes(take func(environment.Changes) error) error {
	for _, l := range f.order {
		if changes := l.changes(); len(changes.Environments) > 0 {
			if err := take(changes); err != nil {
				return err
			}
		}
	}
	return nil
}

// States are what has to be kept for executors: of each step that has a state, and of each plan that is saved, its hash, and no
// data.
func (f *Fold) States() []store.StepState {
	var states []store.StepState
	for _, l := range f.order {
		named := Named(l.state)
		for _, place := range slices.Sorted(maps.Keys(named)) {
			states = append(states, store.StepState{Environment: l.state.Name, Step: place, Hash: named[place]})
		}
	}
	return states
}

// Environments are the names that the entries are about, in the order in which they came.
func (f *Fold) Environments() []string {
	names := make([]string, len(f.order))
	for i, l := range f.order {
		names[i] = l.state.Name
	}
	return names
}

// Read adds a partition's whole journal.
func (f *Fold) Read(ctx context.Context, j Entries, partition int) error {
	return each(ctx, j, store.Selection{Partition: partition}, func(e store.Entry) (bool, error) { return true, f.Add(e) })
}

// Rebuild folds the whole journal of a partition anew, and hands out what Fold.Changes does.
func Rebuild(ctx context.Context, j Entries, partition int, take func(environment.Changes) error) error {
	f := NewFold()
	if err := f.Read(ctx, j, partition); err != nil {
		return err
	}
	return f.Changes(take)
}
