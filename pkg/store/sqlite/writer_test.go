package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/store"
)

func testStore(t testing.TB, o Options) *Store {
	t.Helper()
	if o.Path == "" {
		o.Path = filepath.Join(t.TempDir(), "store.db")
	}
	s, err := Open(context.Background(), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func entryBatch(partition int, seq uint64, text string) store.Batch {
	data, _ := json.Marshal(text)
	return store.Batch{Partition: partition, Epoch: 1, Entries: []store.Entry{
		{Partition: partition, Seq: seq, Environment: "a", Type: "t", Time: time.Unix(1, 0), Epoch: 1, Data: data}}}
}

// held keeps the writer busy until release is called, so that what comes meanwhile is one group.
func held(t *testing.T, s *Store) (release func()) {
	t.Helper()
	started, gate, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- s.writer.do(context.Background(), 1, func(*transaction) error {
			close(started)
			<-gate
			return nil
		})
	}()
	<-started
	return func() {
		close(gate)
		require.NoError(t, <-done)
	}
}

// queued waits until n calls wait for the writer.
func queued(t *testing.T, s *Store, n int) {
	t.Helper()
	require.Eventually(t, func() bool { return len(s.writer.queue) == n }, 30*time.Second, time.Millisecond)
}

// TestDurable: a killed process can't show what a lost current does, so the settings are looked at themselves.
func TestDurable(t *testing.T) {
	s := testStore(t, Options{})
	var mode string
	require.NoError(t, s.read.QueryRowContext(t.Context(), "PRAGMA journal_mode").Scan(&mode))
	require.Equal(t, "wal", mode)
	var level int64
	require.NoError(t, s.writer.do(t.Context(), 1, func(tx *transaction) (err error) {
		level, _, err = tx.integer("PRAGMA synchronous")
		return err
	}))
	require.EqualValues(t, 2, level, "FULL")
	_, err := s.read.ExecContext(t.Context(), "DELETE FROM entries")
	require.Error(t, err, "readers can't write")
}

// TestGroup: calls that wait are one transaction, and one that is refused takes no other with it.
func TestGroup(t *testing.T) {
	s := testStore(t, Options{})
	other := testStore(t, Options{Path: s.path})
	version := func() int64 {
		v, _, err := other.writer.conn.integer(dataVersion) // the other handle's writer has nothing to do
		require.NoError(t, err)
		return v
	}
	before := version()
	release := held(t, s)
	errs := make([]error, 40)
	var group sync.WaitGroup
	for i := range errs {
		seq := uint64(1)
		if i%4 == 3 {
			seq = 7
		}
		b := entryBatch(i, seq, "x")
		b.Changes.Resources = []environment.ResourceRecord{{Environment: fmt.Sprint(i), Node: environment.Node{Address: "r"}}}
		b.Epoch = 1
		if i%4 == 3 {
			b.Epoch = 9 // refused later than the epoch is raised: that has to be undone as well
		}
		group.Go(func() { errs[i] = s.Append(context.Background(), b) })
	}
	queued(t, s, len(errs))
	release()
	group.Wait()
	for i, err := range errs {
		head, headErr := s.Head(t.Context(), i)
		require.NoError(t, headErr)
		if i%4 == 3 {
			require.ErrorIs(t, err, store.ErrConflict)
			require.Zero(t, head.Seq)
		} else {
			require.NoError(t, err)
			require.EqualValues(t, 1, head.Seq)
		}
	}
	epoch, err := s.Epoch(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1, epoch)
	require.LessOrEqual(t, version()-before, int64(2), "one transaction for the call that held the writer, one for the group")
}

// TestFull: a disk without space is an error of those who write, the store goes on when there is space.
func TestFull(t *testing.T) {
	s := testStore(t, Options{})
	require.NoError(t, s.Append(t.Context(), entryBatch(0, 1, "x")))
	setPages := func(n int64) {
		require.NoError(t, s.writer.do(t.Context(), 1, func(tx *transaction) error {
			_, err := tx.exec(fmt.Sprintf("PRAGMA max_page_count = %d", n))
			return err
		}))
	}
	setPages(1) // becomes what the file has
	release := held(t, s)
	var group sync.WaitGroup
	errs := make([]error, 3)
	for i := range errs {
		group.Go(func() { errs[i] = s.Append(context.Background(), entryBatch(i+1, 1, string(make([]byte, 1<<20)))) })
	}
	queued(t, s, len(errs))
	release()
	group.Wait()
	for i, err := range errs {
		require.True(t, fault.Is(err, Full), "%v", err)
		require.Equal(t, fault.Wait, fault.From(err).Disposition)
		head, err := s.Head(t.Context(), i+1)
		require.NoError(t, err)
		require.Zero(t, head.Seq, "nothing is written")
	}
	setPages(1 << 30)
	require.NoError(t, s.Append(t.Context(), entryBatch(1, 1, string(make([]byte, 1<<20)))))
	require.NoError(t, s.Append(t.Context(), entryBatch(0, 2, "x")))
}

// TestAbandoned: a caller that leaves before the writer came to its batch leaves nothing.
func TestAbandoned(t *testing.T) {
	s := testStore(t, Options{})
	release := held(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- s.Append(ctx, entryBatch(0, 1, "x")) }()
	queued(t, s, 1)
	cancel()
	require.ErrorIs(t, <-result, context.Canceled)
	release()
	require.NoError(t, s.Append(t.Context(), entryBatch(1, 1, "x")))
	head, err := s.Head(t.Context(), 0)
	require.NoError(t, err)
	require.Zero(t, head.Seq)
}

// TestBusy: another process that does not let go of the file is an error after a time, not a hang.
func TestBusy(t *testing.T) {
	s := testStore(t, Options{BusyTimeout: 50 * time.Millisecond})
	other := testStore(t, Options{Path: s.path})
	release := held(t, other)
	err := s.Append(t.Context(), entryBatch(0, 1, "x"))
	require.True(t, fault.Is(err, fault.Unavailable), "%v", err)
	require.Equal(t, fault.Retry, fault.From(err).Disposition)
	release()
	require.NoError(t, s.Append(t.Context(), entryBatch(0, 1, "x")))
}

// TestRelayedWritten: without any other transaction, what is relayed is written after a while.
func TestRelayedWritten(t *testing.T) {
	s := testStore(t, Options{})
	other := testStore(t, Options{Path: s.path})
	require.NoError(t, s.Relayed(t.Context(), 3, 5))
	require.Eventually(t, func() bool {
		head, err := other.Head(t.Context(), 3)
		return err == nil && head.Relayed == 5
	}, 30*time.Second, 10*time.Millisecond)
	require.False(t, s.relayed.Any())
}

// TestEdges: the graph is that of the resources, whatever path they took into the file.
func TestEdges(t *testing.T) {
	s := testStore(t, Options{})
	write := func(c environment.Changes) {
		require.NoError(t, s.Append(t.Context(), store.Batch{Epoch: 1, Changes: c}))
	}
	resource := func(address string, depends ...string) environment.ResourceRecord {
		return environment.ResourceRecord{Environment: "a", Node: environment.Node{Address: address, DependsOn: depends}}
	}
	edges := func() (found []string) {
		rows, err := s.read.QueryContext(t.Context(), "SELECT source || '>' || target FROM edges WHERE environment = 'a' ORDER BY 1")
		require.NoError(t, err)
		defer rows.Close()
		for rows.Next() {
			var edge string
			require.NoError(t, rows.Scan(&edge))
			found = append(found, edge)
		}
		require.NoError(t, rows.Err())
		return found
	}
	write(environment.Changes{Created: []string{"a"}, Resources: []environment.ResourceRecord{
		resource("x"), resource("y", "x"), resource("z", "y", "x", "x"), resource("z", "y", "x")}})
	require.Equal(t, []string{"y>x", "z>x", "z>y"}, edges())
	write(environment.Changes{Resources: []environment.ResourceRecord{resource("z", "y"), resource("y", "x"), resource("w", "z")}})
	require.Equal(t, []string{"w>z", "y>x", "z>y"}, edges())
	write(environment.Changes{Resources: []environment.ResourceRecord{resource("z")}})
	require.Equal(t, []string{"w>z", "y>x"}, edges())
	write(environment.Changes{Created: []string{"a"}})
	require.Empty(t, edges())
}
