package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/vivarium-env/vivarium/pkg/store"
)

const secondariesOf = "SELECT coalesce(value ->> '$.version', 0) FROM meta WHERE key = 'secondaries'"

// Secondaries that are counted.
func (s *Store) Secondaries(ctx context.Context) (found store.Secondaries, err error) {
	err = s.query(ctx, func(rows *sql.Rows) error {
		var data sql.RawBytes
		if err := rows.Scan(&data); err != nil {
			return err
		}
		return s.decode(data, &found)
	}, "SELECT value FROM meta WHERE key = 'secondaries'")
	return found, err
}

// Count other secondaries.
func (s *Store) Count(ctx context.Context, was uint64, in store.Secondaries) error {
	data, err := encode(in)
	if err != nil {
		return err
	}
	return s.writer.do(ctx, 1, func(t *transaction) error {
		if int64(in.Epoch) < t.epoch { //nolint:gosec // epochs are counted from one
			return fmt.Errorf("%w: epoch %d, in force is %d", store.ErrStaleEpoch, in.Epoch, t.epoch)
		}
		there, _, err := t.integer(secondariesOf)
		if err != nil {
			return err
		}
		if uint64(there) != was { //nolint:gosec // not negative
			return fmt.Errorf("%w: the secondaries that are counted have version %d, not %d", store.ErrConflict, there, was)
		}
		_, err = t.exec("INSERT INTO meta (key, value) VALUES ('secondaries', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", data)
		return err
	})
}
