package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// cutting is a store.Cut made ready.
type cutting struct {
	*batch
	store.Aside
	data string
	at   any
}

// CutBack sets entries aside, and takes the journal back.
func (s *Store) CutBack(ctx context.Context, in store.Cut) error {
	a := in.Aside
	if a.First == 0 || a.Last < a.First || a.Last > maxSeq {
		return fault.New(fault.GiveUp, fault.Invalid, "there are no entries %d to %d to be set aside", a.First, a.Last)
	}
	b, err := makeReady(store.Batch{Partition: a.Partition, Epoch: in.Epoch, Changes: in.Changes, Snapshots: in.Snapshots, States: in.States})
	if err != nil {
		return err
	}
	c := &cutting{batch: b, Aside: a}
	if c.data, err = encode(a); err != nil {
		return err
	}
	if c.at, err = nanoseconds(a.Time); err != nil {
		return err
	}
	return s.writer.do(ctx, b.weight()+int(a.Last-a.First), c.write) //nolint:gosec // both are less than 2^48
}

func (c *cutting) write(t *transaction) error {
	if _, there, err := t.integer("SELECT 1 FROM asides WHERE id = ?", c.ID); err != nil || there {
		return err
	}
	if err := t.enter(c.epoch); err != nil {
		return err
	}
	if err := c.goBack(t); err != nil {
		return err
	}
	if _, err := t.exec("INSERT INTO asides (id, time, data) VALUES (?, ?, ?)", c.ID, c.at, c.data); err != nil {
		return err
	}
	for _, e := range c.Environments {
		if err := t.setAside(c.ID, e.Name); err != nil {
			return err
		}
	}
	t.journal = true
	return c.batch.write(t)
}

// goBack moves the head, and the entries behind it.
func (c *cutting) goBack(t *transaction) error {
	head := int64(c.First - 1) //nolint:gosec // less than 2^48
	n, err := t.exec("UPDATE partitions SET seq = ?, relayed = min(relayed, ?) WHERE partition = ? AND seq = ?",
		head, head, int64(c.partition), int64(c.Last)) //nolint:gosec // less than 2^48
	if err == nil && n == 0 {
		err = fmt.Errorf("%w: partition %d does not end at entry %d", store.ErrConflict, c.partition, c.Last)
	}
	if err != nil {
		return err
	}
	low, high := int64(c.partition)<<seqBits|head, int64(c.partition)<<seqBits|maxSeq
	if _, err := t.exec("INSERT INTO aside_entries (aside, id, "+entryFields+") SELECT ?, id, "+entryFields+" FROM entries WHERE id > ? AND id <= ?", c.ID, low, high); err != nil {
		return err
	}
	if _, err := t.exec("DELETE FROM entries WHERE id > ? AND id <= ?", low, high); err != nil {
		return err
	}
	if _, err := t.exec("UPDATE snapshots SET seq = ? WHERE partition = ? AND seq > ?", head, int64(c.partition), head); err != nil {
		return err
	}
	t.store.relayed.Lower(c.partition, uint64(head)) //nolint:gosec // not negative
	return nil
}

// setAside keeps the states of an environment, and removes all that is known of it.
func (t *transaction) setAside(id, name string) error {
	if _, err := t.exec(`INSERT INTO aside_states (aside, environment, step, hash, data)
		SELECT ?, environment, step, hash, data FROM step_states WHERE environment = ?`, id, name); err != nil {
		return err
	}
	row, found, err := t.integer("SELECT id FROM environments WHERE name = ?", name)
	if err == nil && found {
		err = t.clearDerived(row)
	}
	if err != nil {
		return err
	}
	for _, text := range []string{
		"DELETE FROM environments WHERE name = ?",
		"DELETE FROM operations WHERE environment = ?",
		"DELETE FROM snapshots WHERE environment = ?",
	} {
		if _, err := t.exec(text, name); err != nil {
			return err
		}
	}
	t.changed = append(t.changed, name)
	return t.clear(name)
}

// Asides that there are.
func (s *Store) Asides(ctx context.Context) (found []store.Aside, err error) {
	err = s.query(ctx, func(rows *sql.Rows) error {
		var data sql.RawBytes
		if err := rows.Scan(&data); err != nil {
			return err
		}
		var a store.Aside
		err := s.decode(data, &a)
		found = append(found, a)
		return err
	}, "SELECT data FROM asides ORDER BY time, id")
	return found, err
}

// AsideEntries in the order of seq.
func (s *Store) AsideEntries(ctx context.Context, id string, after uint64, limit int) (found []store.Entry, err error) {
	if limit <= 0 {
		limit = defaultLimit
	}
	err = s.query(ctx, func(rows *sql.Rows) error {
		e, err := scanEntry(rows)
		found = append(found, e)
		return err
	}, "SELECT id >> 48, "+entryFields+" FROM aside_entries WHERE aside = ? AND seq > ? ORDER BY id LIMIT ?", id, int64(min(after, maxSeq)), limit)
	return found, err
}

// AsideState of a step.
func (s *Store) AsideState(ctx context.Context, id, environment, step string) (store.StepState, error) {
	found := store.StepState{Environment: environment, Step: step}
	err := s.query(ctx, func(rows *sql.Rows) error { return rows.Scan(&found.Hash, &found.Data) },
		"SELECT hash, data FROM aside_states WHERE aside = ? AND environment = ? AND step = ?", id, environment, step)
	if err == nil && found.Hash == "" {
		err = store.ErrNotFound
	}
	return found, err
}
