package sqlite

import (
	"database/sql/driver"
	"time"
)

const (
	defaultLogRetention = 30 * 24 * time.Hour
	// firstSweep lets a server start in peace; sweepEvery is often enough for a retention in days.
	firstSweep = time.Minute
	sweepEvery = time.Hour
	// sweepChunks bounds what one transaction of a sweep removes, and with it how long others wait for it; when there
	// is more, the next one follows after sweepPause.
	sweepChunks = 64
	sweepPause  = 100 * time.Millisecond
)

// sweep removes some of the lines that are older than the retention, and tells when to come back.
func (w *writer) sweep() time.Duration {
	before := w.store.options.now().Add(-w.store.options.LogRetention).Unix()
	more := false
	c := &call{done: make(chan struct{}), write: func(t *transaction) (err error) {
		more, err = t.expire(before)
		return err
	}}
	w.commit([]*call{c})
	if c.result != nil {
		w.store.options.Log.Warn("log lines that are too old could not be removed, and will be tried again", "error", c.result)
		return w.store.options.sweepEvery
	}
	if more {
		return sweepPause
	}
	return w.store.options.sweepEvery
}

// expire removes a bounded number of chunks of the steps that were last written to before a time, the oldest first. A
// step without chunks goes, and so does what is counted of it.
func (t *transaction) expire(before int64) (more bool, err error) {
	for left := int64(sweepChunks); left > 0; {
		step, found, err := t.integer("SELECT id FROM log_steps WHERE written < ? ORDER BY written LIMIT 1", before)
		if err != nil || !found {
			return false, err
		}
		removed, err := t.expireStep(step, left)
		if err != nil {
			return false, err
		}
		left -= max(removed, 1)
	}
	return true, nil
}

func (t *transaction) expireStep(step, most int64) (removed int64, err error) {
	var lines int64
	err = t.query(func(row []driver.Value) error {
		lines, _ = row[0].(int64)
		return nil
	}, "SELECT coalesce(sum(lines), 0) FROM (SELECT lines FROM log_chunks WHERE step = ? ORDER BY id LIMIT ?)", step, most)
	if err != nil {
		return 0, err
	}
	removed, err = t.exec("DELETE FROM log_chunks WHERE id IN (SELECT id FROM log_chunks WHERE step = ? ORDER BY id LIMIT ?)", step, most)
	if err != nil {
		return 0, err
	}
	if _, err := t.exec(`UPDATE log_environments SET lines = lines - ?
		WHERE id = (SELECT environment FROM log_steps WHERE id = ?)`, lines, step); err != nil {
		return 0, err
	}
	if _, err := t.exec("UPDATE log_steps SET lines = lines - ? WHERE id = ?", lines, step); err != nil {
		return 0, err
	}
	if removed < most {
		_, err = t.exec("DELETE FROM log_steps WHERE id = ?", step)
	}
	return removed, err
}
