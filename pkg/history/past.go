package history

import (
	"context"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// Past is an environment as its partition's journal says up to an entry, with all that is derived from that.
type Past struct {
	State *environment.State
	// Changes are its records, and every operation that it ever had; empty where it was not there.
	Changes environment.Changes
}

// Until folds an environment's entries up to a seq of its partition.
func Until(ctx context.Context, j Entries, partition int, name string, last uint64) (Past, error) {
	l := newLife(name)
	err := each(ctx, j, store.Selection{Partition: partition, Environment: name}, func(e store.Entry) (bool, error) {
		if e.Seq > last {
			return false, nil
		}
		return true, l.evolve(e)
	})
	if err != nil {
		return Past{}, err
	}
	return Past{State: l.state, Changes: l.changes()}, nil
}

// Named are the hashes of all states that an environment names, by the places under which they are kept.
func Named(s *environment.State) map[string]string {
	all := s.SavedPlans()
	s.KeptStates(func(step, hash string) { all[step] = hash })
	return all
}
