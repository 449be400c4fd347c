package arango

import (
	"context"
	"fmt"

	"github.com/arangodb/go-driver/v2/arangodb"

	"github.com/vivarium-env/vivarium/pkg/store"
)

// values are what single values are written in.
var values = arangodb.TransactionCollections{Write: []string{"meta"}}

// Secondaries that are counted.
func (s *Store) Secondaries(ctx context.Context) (found store.Secondaries, err error) {
	data, there, err := askOne[string](ctx, s, "meta_get", binds{"key": "secondaries"})
	if err != nil || !there {
		return found, err
	}
	return found, s.decode(data, &found)
}

// Count other secondaries. Of two servers that do so at once the database lets one write, and the other one looks again.
func (s *Store) Count(ctx context.Context, was uint64, in store.Secondaries) error {
	data, err := encode(in)
	if err != nil {
		return err
	}
	return plain(s.retry(ctx, func(ctx context.Context) error {
		return s.inTransaction(ctx, values, func(t arangodb.Transaction) error { return s.count(ctx, t, was, in, data) })
	}))
}

func (s *Store) count(ctx context.Context, t arangodb.Transaction, was uint64, in store.Secondaries, data string) error {
	inForce, _, err := first[uint64](ctx, t, "meta_get", binds{"key": "epoch"})
	if err != nil {
		return err
	}
	if in.Epoch < inForce {
		return fmt.Errorf("%w: epoch %d, in force is %d", store.ErrStaleEpoch, in.Epoch, inForce)
	}
	text, there, err := first[string](ctx, t, "meta_get", binds{"key": "secondaries"})
	if err != nil {
		return err
	}
	var found store.Secondaries
	if there {
		if err := s.decode(text, &found); err != nil {
			return err
		}
	}
	switch {
	case text == data:
		return nil // an earlier attempt has, whose answer was lost
	case found.Version != was:
		return fmt.Errorf("%w: the secondaries that are counted have version %d, not %d", store.ErrConflict, found.Version, was)
	}
	return run(ctx, t, "meta_put", binds{"key": "secondaries", "value": data})
}
