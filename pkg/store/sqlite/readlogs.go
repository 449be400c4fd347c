package sqlite

import (
	"context"
	"database/sql"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/store"
)

const chunkColumns = `SELECT c.id, c.attempt, c.first, s.step, c.data FROM log_chunks c JOIN log_steps s ON s.id = c.step `

// The plus signs keep SQLite from reading a whole environment by step and sorting it: its chunks are in order by
// environment. A single step's chunks are few and are found by step.
const (
	chunksOfEnvironment = chunkColumns + `WHERE c.environment = (SELECT id FROM log_environments WHERE name = ?1)
		AND c.id > ?2 - 256 AND c.id + c.lines - 1 > ?2 ORDER BY c.id LIMIT ?3`
	chunksOfOperation = chunkColumns + `WHERE c.environment = (SELECT id FROM log_environments WHERE name = ?1)
		AND c.id > ?2 - 256 AND c.id + c.lines - 1 > ?2 AND +s.operation = ?4 ORDER BY c.id LIMIT ?3`
	chunksOfStep = chunkColumns + `WHERE c.step IN (SELECT id FROM log_steps
			WHERE environment = (SELECT id FROM log_environments WHERE name = ?1) AND (?4 = '' OR operation = ?4) AND step = ?5)
		AND c.id + c.lines - 1 > ?2 ORDER BY c.id LIMIT ?3`
)

// ReadLogs reads lines in the order of their IDs.
func (s *Store) ReadLogs(ctx context.Context, q store.LogSelection) ([]store.LogRecord, error) {
	limit := q.Limit
	if limit <= 0 {
		limit = defaultLimit
	}
	after := int64(min(q.After, 1<<62))
	var found []store.LogRecord
	take := func(rows *sql.Rows) (err error) {
		if found, err = s.expand(found, rows, uint64(after), limit); err == nil && len(found) == limit {
			err = errEnough
		}
		return err
	}
	// Each chunk has at least one line that is wanted, so as many chunks as lines are enough.
	var err error
	switch {
	case q.Step != "":
		err = s.query(ctx, take, chunksOfStep, q.Environment, after, limit, q.Operation, q.Step)
	case q.Operation != "":
		err = s.query(ctx, take, chunksOfOperation, q.Environment, after, limit, q.Operation)
	default:
		err = s.query(ctx, take, chunksOfEnvironment, q.Environment, after, limit)
	}
	return found, err
}

// expand adds the lines of a chunk that come after an ID, up to the limit.
func (s *Store) expand(found []store.LogRecord, rows *sql.Rows, after uint64, limit int) ([]store.LogRecord, error) {
	var first store.LogRecord
	var data sql.RawBytes
	var lines []event.LogLine
	if err := rows.Scan(&first.ID, &first.Attempt, &first.Number, &first.Step, &data); err != nil {
		return found, err
	}
	if err := s.decode(data, &lines); err != nil {
		return found, err
	}
	for i, line := range lines {
		r := first
		r.ID, r.Number, r.LogLine = first.ID+uint64(i), first.Number+i, line
		if r.ID > after && len(found) < limit {
			found = append(found, r)
		}
	}
	return found, nil
}
