package history

import (
	"context"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// Rebuild folds the whole journal of a partition anew and hands out, environment by environment, all that the projection
// holds of it: its records and every operation that it ever had, with the name in Created, so that nothing older is left.
// Revisions and times of resources are those of the last entry, since what each was written with is not in the journal.
func Rebuild(ctx context.Context, j Entries, partition int, take func(environment.Changes) error) error {
	all := map[string]*life{}
	var order []*life
	err := each(ctx, j, store.Selection{Partition: partition}, func(e store.Entry) (bool, error) {
		l := all[e.Environment]
		if l == nil {
			l = newLife(e.Environment)
			all[e.Environment], order = l, append(order, l)
		}
		return true, l.evolve(e)
	})
	if err != nil {
		return err
	}
	for _, l := range order {
		if changes := l.changes(); len(changes.Environments) > 0 {
			if err := take(changes); err != nil {
				return err
			}
		}
	}
	return nil
}
