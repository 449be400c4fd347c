package arango

import (
	"context"
	"time"

	"github.com/arangodb/go-driver/v2/arangodb"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// maxChunk bounds the lines of a chunk, and with it how far back the search for lines that are there already goes.
const maxChunk = 256

// logWrites: who holds the counters gives out ids alone, so that they grow in the order of arrival.
var logWrites = arangodb.TransactionCollections{Exclusive: []string{"counters"}, Write: []string{"log_steps", "log_chunks"}}

// AppendLogs writes all batches in one transaction. Lines that are there already are left as they are.
func (s *Store) AppendLogs(ctx context.Context, batches ...event.Logs) error {
	some := false
	for _, b := range batches {
		if b.First < 0 || int64(b.First)+int64(len(b.Lines)) > maxSeq {
			return fault.New(fault.GiveUp, fault.Invalid, "log lines of step %q are numbered from %d", b.Step, b.First)
		}
		some = some || len(b.Lines) > 0
	}
	if !some {
		return ctx.Err()
	}
	return plain(s.retry(ctx, func(ctx context.Context) error {
		return s.inTransaction(ctx, logWrites, func(t arangodb.Transaction) error {
			for _, b := range batches {
				if err := s.appendLogs(ctx, t, b); err != nil {
					return err
				}
			}
			return nil
		})
	}))
}

// stretch is a run of lines that follow on each other.
type stretch struct {
	first int
	lines []event.LogLine
}

// appendLogs writes what is new of one batch, and prunes when a bound is passed by a tenth.
func (s *Store) appendLogs(ctx context.Context, t arangodb.Transaction, b event.Logs) error {
	step := keyOf(b.Environment, b.Operation, b.Step)
	runs, total, err := s.missing(ctx, t, step, b)
	if err != nil || total == 0 {
		return err
	}
	end, _, err := first[uint64](ctx, t, "log_counter", binds{"count": total})
	if err != nil {
		return err
	}
	id, now := end-uint64(total), time.Now().Unix() //nolint:gosec // a count
	var docs []document
	for _, r := range runs {
		data, err := encode(r.lines)
		if err != nil {
			return err
		}
		docs = append(docs, document{"id": id, "home": keyOf(b.Environment), "step_key": step, "step_of": keyOf(b.Environment, b.Step),
			"operation": b.Operation, "step": b.Step, "attempt": b.Attempt, "first": r.first, "lines": len(r.lines), "written": now, "data": data})
		id += uint64(len(r.lines))
	}
	if err := put(ctx, t, "put", "log_chunks", docs); err != nil {
		return err
	}
	return s.countLogs(ctx, t, step, keyOf(b.Environment), total, now)
}

// missing leaves out the lines that are there already, which a redelivered batch has.
func (s *Store) missing(ctx context.Context, t arangodb.Transaction, step string, b event.Logs) (runs []stretch, total int, err error) {
	if len(b.Lines) == 0 {
		return nil, 0, nil
	}
	held := map[int]bool{}
	rows, err := each[struct{ First, Lines int }](ctx, t, "log_held", binds{"step": step, "attempt": b.Attempt,
		"low": b.First - maxChunk, "end": b.First + len(b.Lines)})
	if err != nil {
		return nil, 0, err
	}
	for _, r := range rows {
		for n := r.First; n < r.First+r.Lines; n++ {
			held[n] = true
		}
	}
	size := s.chunkLines()
	for i, line := range b.Lines {
		n := b.First + i
		if held[n] {
			continue
		}
		if last := len(runs) - 1; last < 0 || runs[last].first+len(runs[last].lines) != n || len(runs[last].lines) == size {
			runs = append(runs, stretch{first: n})
		}
		runs[len(runs)-1].lines = append(runs[len(runs)-1].lines, line)
		total++
	}
	return runs, total, nil
}

// chunkLines keeps chunks small beside the bounds, since pruning takes whole chunks.
func (s *Store) chunkLines() int {
	return max(1, min(maxChunk, s.options.StepLogLines/20, s.options.EnvironmentLogLines/20))
}

// countLogs keeps the number of lines of the step and its environment, and prunes those that have too many. What the
// server has let go of because of its age is still counted until then.
func (s *Store) countLogs(ctx context.Context, t arangodb.Transaction, step, home string, added int, now int64) error {
	ofStep, _, err := first[int](ctx, t, "log_count", binds{"key": step, "home": home, "lines": added, "now": now})
	if err != nil {
		return err
	}
	if tooMany(ofStep, s.options.StepLogLines) {
		if err := prune(ctx, t, "step", step, s.options.StepLogLines); err != nil {
			return err
		}
		if err := run(ctx, t, "log_recount", binds{"key": step}); err != nil {
			return err
		}
	}
	steps, err := each[struct {
		Key   string
		Lines int
	}](ctx, t, "log_steps", binds{"home": home})
	if err != nil {
		return err
	}
	all := 0
	for _, st := range steps {
		all += st.Lines
	}
	if !tooMany(all, s.options.EnvironmentLogLines) {
		return nil
	}
	if err := prune(ctx, t, "environment", home, s.options.EnvironmentLogLines); err != nil {
		return err
	}
	for _, st := range steps {
		if err := run(ctx, t, "log_recount", binds{"key": st.Key}); err != nil {
			return err
		}
	}
	return nil
}

func tooMany(lines, bound int) bool { return lines > bound+bound/10 }

// prune removes the oldest chunks, so that at most bound lines are left.
func prune(ctx context.Context, t arangodb.Transaction, of, key string, bound int) error {
	chunks, err := each[struct {
		ID    uint64
		Lines int
	}](ctx, t, "log_chunks_of_"+of, binds{"key": key})
	if err != nil {
		return err
	}
	kept := 0
	for _, c := range chunks {
		if kept += c.Lines; kept > bound {
			return run(ctx, t, "log_prune_"+of, binds{"key": key, "last": c.ID})
		}
	}
	return nil
}

// ReadLogs reads lines in the order of their IDs.
func (s *Store) ReadLogs(ctx context.Context, q store.LogSelection) ([]store.LogRecord, error) {
	if q.Limit <= 0 {
		q.Limit = defaultLimit
	}
	q.After = min(q.After, 1<<53)
	query, key := "logs_of_environment", keyOf(q.Environment)
	if q.Step != "" {
		query, key = "logs_of_step", keyOf(q.Environment, q.Step)
	}
	if q.Newest {
		query += "_newest"
	}
	low := int64(q.After) - maxChunk //nolint:gosec // at most 1<<53
	rows, err := ask[chunk](ctx, s, query, binds{"key": key, "low": low, "after": q.After, "attempt": q.Attempt,
		"operation": q.Operation, "limit": q.Limit})
	if err != nil {
		return nil, err
	}
	return s.expand(rows, q)
}
