package sqlite

import (
	"context"
	"database/sql"

	"github.com/vivarium-env/vivarium/pkg/store"
)

// states writes and removes what executors have to know the next time, in the order of the batch.
func (t *transaction) states(all []store.StepState) error {
	for _, s := range all {
		if err := t.state(s); err != nil {
			return err
		}
	}
	return nil
}

func (t *transaction) state(s store.StepState) error {
	var err error
	switch {
	case s.Step == "":
		_, err = t.exec("DELETE FROM step_states WHERE environment = ?", s.Environment)
	case len(s.Data) == 0:
		_, err = t.exec("DELETE FROM step_states WHERE environment = ? AND step = ?", s.Environment, s.Step)
	default:
		_, err = t.exec(`INSERT INTO step_states (environment, step, hash, data) VALUES (?, ?, ?, ?)
			ON CONFLICT (environment, step) DO UPDATE SET hash = excluded.hash, data = excluded.data`,
			s.Environment, s.Step, s.Hash, s.Data)
	}
	return err
}

// State of a step.
func (s *Store) State(ctx context.Context, environment, step string) (store.StepState, error) {
	found := store.StepState{Environment: environment, Step: step}
	err := s.query(ctx, func(rows *sql.Rows) error { return rows.Scan(&found.Hash, &found.Data) },
		"SELECT hash, data FROM step_states WHERE environment = ? AND step = ?", environment, step)
	if err == nil && found.Hash == "" {
		err = store.ErrNotFound
	}
	return found, err
}
