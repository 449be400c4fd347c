package sqlite

import (
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/store"
)

// clock is a time that a test moves.
type clock struct{ atomic.Int64 }

func (c *clock) now() time.Time            { return time.Unix(c.Load(), 0) }
func (c *clock) advance(d time.Duration)   { c.Add(int64(d / time.Second)) }
func (c *clock) options(o Options) Options { o.now = c.now; return o }
func newClock() *clock                     { c := &clock{}; c.Store(1_800_000_000); return c }
func counted(t *testing.T, s *Store) (n int) {
	return number(t, s, "SELECT coalesce(sum(lines), 0) FROM log_chunks")
}

func number(t *testing.T, s *Store, query string) (n int) {
	t.Helper()
	require.NoError(t, s.read.QueryRowContext(t.Context(), query).Scan(&n))
	return n
}

// TestOldLogsGo: what was last written to before the retention goes by itself, a bounded part at a time, and nothing else.
func TestOldLogsGo(t *testing.T) {
	c := newClock()
	s := testStore(t, c.options(Options{LogRetention: 24 * time.Hour, firstSweep: time.Millisecond, sweepEvery: time.Millisecond}))
	for step := range 3 {
		for n := range 2 * sweepChunks {
			appendLines(t, s, "a", fmt.Sprint("old-", step), n, 1) // a chunk each
		}
	}
	appendLines(t, s, "b", "old", 0, 10)
	c.advance(23 * time.Hour)
	appendLines(t, s, "a", "old-1", 2*sweepChunks, 1) // still written to
	appendLines(t, s, "a", "young", 0, 10)
	c.advance(2 * time.Hour)
	require.Eventually(t, func() bool { return counted(t, s) == 2*sweepChunks+11 }, 20*time.Second, time.Millisecond)
	require.Len(t, kept(t, s, store.LogSelection{Environment: "a", Step: "old-1"}), 2*sweepChunks+1)
	require.Empty(t, kept(t, s, store.LogSelection{Environment: "b"}))
	require.Equal(t, 2, number(t, s, "SELECT count(*) FROM log_steps"), "what has no lines is not kept")
	require.Equal(t, 2*sweepChunks+11, number(t, s, "SELECT sum(lines) FROM log_steps"))
	require.Equal(t, 2*sweepChunks+11, number(t, s, "SELECT sum(lines) FROM log_environments"))
	appendLines(t, s, "b", "old", 10, 5)
	require.Len(t, kept(t, s, store.LogSelection{Environment: "b"}), 5, "the step may begin again")
}

// TestASweepIsBounded: one transaction removes no more than its share.
func TestASweepIsBounded(t *testing.T) {
	c := newClock()
	s := testStore(t, c.options(Options{}))
	for n := range 3*sweepChunks + 1 {
		appendLines(t, s, "a", "s", n, 1)
	}
	before, rounds := c.now().Add(time.Hour).Unix(), 0
	for more := true; more; rounds++ {
		held := counted(t, s)
		require.NoError(t, s.writer.do(t.Context(), 1, func(tx *transaction) (err error) {
			more, err = tx.expire(before)
			return err
		}))
		require.LessOrEqual(t, held-counted(t, s), sweepChunks)
	}
	require.Zero(t, counted(t, s))
	require.Equal(t, 4, rounds)
}

// TestLogsOfAnOlderSchema: what was there before counts from the day of the change.
func TestLogsOfAnOlderSchema(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	first, err := migrations.ReadFile("migrations/0001_store.sql")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	name, err := dsn(path, time.Second)
	require.NoError(t, err)
	old, err := openConn(name)
	require.NoError(t, err)
	for _, text := range []string{
		"CREATE TABLE schema_version (version INTEGER PRIMARY KEY, applied_at TEXT NOT NULL) STRICT", string(first),
		"INSERT INTO schema_version VALUES (1, 'then')", "INSERT INTO log_environments (id, name) VALUES (1, 'a')",
		"INSERT INTO log_steps (id, environment, operation, step) VALUES (1, 1, 'o', 's')",
	} {
		require.NoError(t, old.script(text))
	}
	require.NoError(t, old.close())
	s := testStore(t, Options{Path: path})
	require.InDelta(t, time.Now().Unix(), number(t, s, "SELECT written FROM log_steps"), 600)
}
