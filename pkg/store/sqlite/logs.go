package sqlite

import (
	"context"
	"database/sql/driver"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// maxChunk bounds the lines of a chunk, and with it how far back the search for lines that are there already goes.
const maxChunk = 256

// chunk is a run of lines of one attempt that follow on each other.
type chunk struct {
	first int
	lines []event.LogLine
	data  string
}

// logs are lines of one task, made ready by their caller's goroutine.
type logs struct {
	event.TaskRef
	first, end int // numbers of the lines: first included, end not
	chunks     []chunk
}

// AppendLogs writes all batches in one transaction. Lines that are there already are left as they are.
func (s *Store) AppendLogs(ctx context.Context, batches ...event.Logs) error {
	var ready []logs
	weight := 1
	for _, b := range batches {
		if len(b.Lines) == 0 {
			continue
		}
		if b.First < 0 || int64(b.First)+int64(len(b.Lines)) > maxSeq {
			return fault.New(fault.GiveUp, fault.Invalid, "log lines of step %q are numbered from %d", b.Step, b.First)
		}
		chunks, err := cut(b.First, b.Lines, s.chunkLines())
		if err != nil {
			return err
		}
		ready = append(ready, logs{TaskRef: b.TaskRef, first: b.First, end: b.First + len(b.Lines), chunks: chunks})
		weight += 4 + len(chunks)
	}
	if len(ready) == 0 {
		return ctx.Err()
	}
	return s.writer.do(ctx, weight, func(t *transaction) error {
		for i := range ready {
			if err := t.logs(&ready[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// chunkLines keeps chunks small beside the bounds, since pruning takes whole chunks.
func (s *Store) chunkLines() int {
	return max(1, min(maxChunk, s.options.StepLogLines/20, s.options.EnvironmentLogLines/20))
}

func cut(first int, lines []event.LogLine, size int) ([]chunk, error) {
	var chunks []chunk
	for len(lines) > 0 {
		n := min(size, len(lines))
		data, err := encode(lines[:n])
		if err != nil {
			return nil, err
		}
		chunks = append(chunks, chunk{first: first, lines: lines[:n], data: data})
		first, lines = first+n, lines[n:]
	}
	return chunks, nil
}

// logs writes what is new of one batch and prunes when a bound is passed by a tenth.
func (t *transaction) logs(l *logs) error {
	environment, step, err := t.logKeys(l)
	if err != nil {
		return err
	}
	chunks, err := t.missing(l, step)
	if err != nil || len(chunks) == 0 {
		return err
	}
	var total int64
	for _, c := range chunks {
		total += int64(len(c.lines))
	}
	next, _, err := t.integer("UPDATE meta SET value = value + ? WHERE key = 'next_log' RETURNING value", total)
	if err != nil {
		return err
	}
	next -= total
	var values rows
	for _, c := range chunks {
		values = append(values, next, environment, step, int64(l.Attempt), int64(c.first), int64(len(c.lines)), c.data)
		next += int64(len(c.lines))
	}
	if err := t.insert(insertLogChunks, values); err != nil {
		return err
	}
	return t.count(environment, step, total)
}

// logKeys are the short keys of the batch's environment and step.
func (t *transaction) logKeys(l *logs) (environment, step int64, err error) {
	environment, err = t.keyOf("SELECT id FROM log_environments WHERE name = ?",
		"INSERT INTO log_environments (name) VALUES (?) RETURNING id", l.Environment)
	if err != nil {
		return 0, 0, err
	}
	step, err = t.keyOf("SELECT id FROM log_steps WHERE environment = ? AND operation = ? AND step = ?",
		"INSERT INTO log_steps (environment, operation, step) VALUES (?, ?, ?) RETURNING id", environment, l.Operation, l.Step)
	return environment, step, err
}

func (t *transaction) keyOf(find, add string, values ...driver.Value) (int64, error) {
	id, found, err := t.integer(find, values...)
	if err == nil && !found {
		id, _, err = t.integer(add, values...)
	}
	return id, err
}

// missing leaves out the lines that are there already, which a redelivered batch has.
func (t *transaction) missing(l *logs, step int64) ([]chunk, error) {
	var held map[int]bool
	err := t.query(func(row []driver.Value) error {
		if held == nil {
			held = map[int]bool{}
		}
		for n := row[0].(int64); n < row[0].(int64)+row[1].(int64); n++ {
			held[int(n)] = true
		}
		return nil
	}, `SELECT first, lines FROM log_chunks WHERE step = ? AND attempt = ? AND first > ? AND first < ? AND first + lines > ?`,
		step, int64(l.Attempt), int64(l.first-maxChunk), int64(l.end), int64(l.first))
	if err != nil || held == nil {
		return l.chunks, err
	}
	var kept []chunk
	for _, c := range l.chunks {
		parts, err := c.without(held)
		if err != nil {
			return nil, err
		}
		kept = append(kept, parts...)
	}
	return kept, nil
}

// without gives the runs of lines that are not held.
func (c chunk) without(held map[int]bool) ([]chunk, error) {
	var parts []chunk
	for i := 0; i < len(c.lines); {
		start := i
		for i < len(c.lines) && !held[c.first+i] {
			i++
		}
		if i > start {
			more, err := cut(c.first+start, c.lines[start:i], maxChunk)
			if err != nil {
				return nil, err
			}
			parts = append(parts, more...)
		}
		i++
	}
	return parts, nil
}

// count keeps the number of lines of the step and the environment, and prunes those that have too many.
func (t *transaction) count(environment, step, added int64) error {
	ofStep, _, err := t.integer("UPDATE log_steps SET lines = lines + ?, written = ? WHERE id = ? RETURNING lines",
		added, t.store.options.now().Unix(), step)
	if err != nil {
		return err
	}
	if bound := int64(t.store.options.StepLogLines); ofStep > bound+bound/10 {
		kept, err := t.pruneStep(step, bound)
		if err != nil {
			return err
		}
		added -= ofStep - kept
	}
	all, _, err := t.integer("UPDATE log_environments SET lines = lines + ? WHERE id = ? RETURNING lines", added, environment)
	if err != nil {
		return err
	}
	if bound := int64(t.store.options.EnvironmentLogLines); all > bound+bound/10 {
		return t.pruneEnvironment(environment, bound)
	}
	return nil
}

// pruneStep removes the oldest chunks of a step and tells how many lines are left.
func (t *transaction) pruneStep(step, bound int64) (int64, error) {
	if _, err := t.exec(`DELETE FROM log_chunks WHERE id IN (SELECT id FROM
		(SELECT id, sum(lines) OVER (ORDER BY id DESC) AS kept FROM log_chunks WHERE step = ?) WHERE kept > ?)`, step, bound); err != nil {
		return 0, err
	}
	kept, _, err := t.integer(`UPDATE log_steps SET lines = (SELECT coalesce(sum(c.lines), 0) FROM log_chunks c
		WHERE c.step = log_steps.id) WHERE id = ? RETURNING lines`, step)
	return kept, err
}

// pruneEnvironment removes the oldest chunks of an environment, and the steps that have none left.
func (t *transaction) pruneEnvironment(environment, bound int64) error {
	if _, err := t.exec(`DELETE FROM log_chunks WHERE id IN (SELECT id FROM
		(SELECT id, sum(lines) OVER (ORDER BY id DESC) AS kept FROM log_chunks WHERE environment = ?) WHERE kept > ?)`,
		environment, bound); err != nil {
		return err
	}
	for _, text := range []string{
		`UPDATE log_steps SET lines = (SELECT coalesce(sum(c.lines), 0) FROM log_chunks c WHERE c.step = log_steps.id)
			WHERE environment = ?`,
		"DELETE FROM log_steps WHERE environment = ? AND lines = 0",
		`UPDATE log_environments SET lines = (SELECT coalesce(sum(s.lines), 0) FROM log_steps s
			WHERE s.environment = log_environments.id) WHERE id = ?`,
	} {
		if _, err := t.exec(text, environment); err != nil {
			return err
		}
	}
	return nil
}
