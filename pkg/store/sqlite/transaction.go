package sqlite

import (
	"fmt"

	"github.com/vivarium-env/vivarium/pkg/store"
)

// transaction is what the calls of a group share while they are written.
type transaction struct {
	*conn
	store   *Store
	epoch   int64
	journal bool     // something was appended to the journal
	changed []string // environments that were written
}

// begin takes the file's write lock at once: what is read in the transaction can't change under it.
func begin(c *conn, s *Store) (*transaction, error) {
	if _, err := c.exec("BEGIN IMMEDIATE"); err != nil {
		return nil, err
	}
	t := &transaction{conn: c, store: s}
	var err error
	if t.epoch, _, err = c.integer("SELECT value FROM meta WHERE key = 'epoch'"); err != nil {
		return nil, t.rollback(err)
	}
	return t, nil
}

// rollback returns its argument. SQLite may have rolled back already, then this changes nothing.
func (t *transaction) rollback(cause error) error {
	_, _ = t.exec("ROLLBACK")
	return cause
}

// run writes one call. What concerns only that call becomes its result and leaves nothing of it behind; the error
// is what ends the whole transaction. A call that is alone needs no savepoint: the transaction is one.
func (t *transaction) run(c *call, shared bool) error {
	if !shared {
		return c.write(t)
	}
	if _, err := t.exec("SAVEPOINT call"); err != nil {
		return err
	}
	epoch, journal := t.epoch, t.journal
	if c.result = c.write(t); c.result != nil {
		if !ownFault(c.result) {
			return c.result
		}
		t.epoch, t.journal = epoch, journal
		if _, err := t.exec("ROLLBACK TO call"); err != nil {
			return err
		}
	}
	_, err := t.exec("RELEASE call")
	return err
}

// mark writes what is relayed, along with whatever else the transaction does.
func (t *transaction) mark(marks map[int]uint64) error {
	for partition, seq := range marks {
		if _, err := t.exec(`INSERT INTO partitions (partition, seq, relayed) VALUES (?, 0, ?)
			ON CONFLICT (partition) DO UPDATE SET relayed = max(relayed, min(excluded.relayed, seq))`,
			int64(partition), int64(seq)); err != nil {
			return err
		}
	}
	return nil
}

// enter lets a batch of an epoch into the transaction, or refuses it.
func (t *transaction) enter(epoch int64) error {
	if epoch < t.epoch {
		return fmt.Errorf("%w: epoch %d, in force is %d", store.ErrStaleEpoch, epoch, t.epoch)
	}
	if epoch > t.epoch {
		if _, err := t.exec("UPDATE meta SET value = ? WHERE key = 'epoch'", epoch); err != nil {
			return err
		}
		t.epoch = epoch
	}
	return nil
}

// advance moves a partition's head over count entries from first on, or finds that it is somewhere else.
func (t *transaction) advance(partition int, first, count int64) error {
	n, err := t.exec("UPDATE partitions SET seq = ? WHERE partition = ? AND seq = ?", first+count-1, int64(partition), first-1)
	if err == nil && n == 0 && first == 1 {
		n, err = t.exec("INSERT INTO partitions (partition, seq) VALUES (?, ?) ON CONFLICT (partition) DO NOTHING",
			int64(partition), count)
	}
	if err == nil && n == 0 {
		return fmt.Errorf("%w: partition %d, entry %d does not follow on its head", store.ErrConflict, partition, first)
	}
	return err
}
