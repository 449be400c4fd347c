package sqlite

import (
	"context"
	"database/sql"
	"slices"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/store"
)

const (
	chunkColumns = `SELECT c.id, s.operation, s.step, c.attempt, c.first, c.data FROM log_chunks c JOIN log_steps s ON s.id = c.step `
	chunkOrder   = ` ORDER BY c.id LIMIT ?3`
)

// The plus signs keep SQLite from reading a whole environment by step and sorting it: its chunks are in order by
// environment. A single step's chunks are few and are found by step.
const (
	chunksOfEnvironment = chunkColumns + `WHERE c.environment = (SELECT id FROM log_environments WHERE name = ?1)
		AND c.id > ?2 - 256 AND c.id + c.lines - 1 > ?2 AND (?4 = 0 OR c.attempt = ?4)` + chunkOrder
	chunksOfOperation = chunkColumns + `WHERE c.environment = (SELECT id FROM log_environments WHERE name = ?1)
		AND c.id > ?2 - 256 AND c.id + c.lines - 1 > ?2 AND (?4 = 0 OR c.attempt = ?4) AND +s.operation = ?5` + chunkOrder
	chunksOfStep = chunkColumns + `WHERE c.step IN (SELECT id FROM log_steps
			WHERE environment = (SELECT id FROM log_environments WHERE name = ?1) AND (?5 = '' OR operation = ?5) AND step = ?6)
		AND c.id + c.lines - 1 > ?2 AND (?4 = 0 OR c.attempt = ?4)` + chunkOrder
)

// backwards are the same selections, the newest chunks first.
var backwards = map[string]string{
	chunksOfEnvironment: reversed(chunksOfEnvironment),
	chunksOfOperation:   reversed(chunksOfOperation),
	chunksOfStep:        reversed(chunksOfStep),
}

func reversed(text string) string {
	return strings.Replace(text, "ORDER BY c.id", "ORDER BY c.id DESC", 1)
}

// ReadLogs reads lines in the order of their IDs.
func (s *Store) ReadLogs(ctx context.Context, q store.LogSelection) ([]store.LogRecord, error) {
	if q.Limit <= 0 {
		q.Limit = defaultLimit
	}
	q.After = min(q.After, 1<<62)
	text, args := chunksOf(q)
	if q.Newest {
		text = backwards[text]
	}
	var found []store.LogRecord
	err := s.query(ctx, func(rows *sql.Rows) (err error) {
		if found, err = s.expand(found, rows, q); err == nil && len(found) == q.Limit {
			err = errEnough
		}
		return err
	}, text, args...)
	if q.Newest {
		slices.Reverse(found)
	}
	return found, err
}

// chunksOf is the query for the chunks of a selection. Each has at least one line that is wanted, so as many chunks as
// lines are enough.
func chunksOf(q store.LogSelection) (string, []any) {
	args := []any{q.Environment, int64(q.After), q.Limit, q.Attempt} //nolint:gosec // at most 1<<62
	switch {
	case q.Step != "":
		return chunksOfStep, append(args, q.Operation, q.Step)
	case q.Operation != "":
		return chunksOfOperation, append(args, q.Operation)
	default:
		return chunksOfEnvironment, args
	}
}

// expand adds the lines of a chunk that come after an ID, up to the limit; the last one first when the newest are wanted.
func (s *Store) expand(found []store.LogRecord, rows *sql.Rows, q store.LogSelection) ([]store.LogRecord, error) {
	var first store.LogRecord
	var data sql.RawBytes
	var lines []event.LogLine
	if err := rows.Scan(&first.ID, &first.Operation, &first.Step, &first.Attempt, &first.Number, &data); err != nil {
		return found, err
	}
	if err := s.decode(data, &lines); err != nil {
		return found, err
	}
	for n := range lines {
		i := n
		if q.Newest {
			i = len(lines) - 1 - n
		}
		r := first
		r.ID, r.Number, r.LogLine = first.ID+uint64(i), first.Number+i, lines[i] //nolint:gosec // an index
		if r.ID > q.After && len(found) < q.Limit {
			found = append(found, r)
		}
	}
	return found, nil
}
