package storetest

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/store"
)

func testUpsert(t *testing.T, place Reopener) {
	s := opened(t, place)
	j := &journal{store: s}
	e, r, o := record("a"), resource("a", "n.noop.x", "n.noop.y"), operation("a", "o1", 0)
	check := func() {
		t.Helper()
		gotE, err := s.Environment(t.Context(), "a")
		require.NoError(t, err)
		sameJSON(t, e, gotE)
		gotR, cursor, err := s.Resources(t.Context(), "a", store.Page{})
		require.NoError(t, err)
		require.Empty(t, cursor)
		sameJSON(t, []environment.ResourceRecord{r}, gotR)
		gotO, cursor, err := s.Operations(t.Context(), "a", store.Page{})
		require.NoError(t, err)
		require.Empty(t, cursor)
		sameJSON(t, []environment.OperationRecord{o}, gotO)
	}
	write := func() {
		t.Helper()
		j.change(t, environment.Changes{
			Environments: []environment.Record{e}, Resources: []environment.ResourceRecord{r},
			Operations: []environment.OperationRecord{o},
		})
		check()
	}
	write()
	e.Status, e.Error, e.Revision = environment.Deployed, nil, 9
	r.Status, r.Outputs = environment.Deployed, nil
	o.Status, o.FinishedAt = environment.OperationSucceeded, &e.UpdatedAt
	write()
	e.Description, e.Tags, e.Templates = "", nil, nil
	r.DependsOn = []string{"n.noop.z"}
	write()
	r.DependsOn = nil
	write()
	j.store = reopened(t, s, place)
	s = j.store
	check()

	// Of one record twice in a batch the later stands.
	older, newer := r, r
	older.Status, newer.Status = environment.Failed, environment.Destroying
	r = newer
	j.change(t, environment.Changes{Resources: []environment.ResourceRecord{older, newer}})
	check()
}

// testRemoved: a resource that an update has destroyed is no more; one of the same address elsewhere is.
func testRemoved(t *testing.T, place Reopener) {
	s := opened(t, place)
	j := &journal{store: s}
	j.change(t, environment.Changes{
		Created: []string{"a", "b"}, Environments: []environment.Record{record("a"), record("b")},
		Resources: []environment.ResourceRecord{resource("a", "x"), resource("a", "y", "x"), resource("b", "x"), resource("b", "y", "x")},
	})
	j.change(t, environment.Changes{
		Resources: []environment.ResourceRecord{resource("a", "x"), resource("a", "z")},
		Removed:   []environment.Removal{removal("a", "y", "y"), removal("a", "never there", "")},
	})
	for range 2 {
		left, _, err := s.Resources(t.Context(), "a", store.Page{Limit: -1})
		require.NoError(t, err)
		require.Equal(t, []string{"x", "z"}, addresses(left))
		left, _, err = s.Resources(t.Context(), "b", store.Page{Limit: -1})
		require.NoError(t, err)
		require.Equal(t, []string{"x", "y"}, addresses(left))
		s = reopened(t, s, place)
	}
}

// testCreated: an environment that is made again under its old name has nothing left of its resources.
func testCreated(t *testing.T, place Reopener) {
	s := opened(t, place)
	j := &journal{store: s}
	j.change(t, environment.Changes{
		Created: []string{"a", "b"}, Environments: []environment.Record{record("a"), record("b")},
		Resources: []environment.ResourceRecord{
			resource("a", "old.1"), resource("a", "old.2", "old.1"), resource("a", "both", "old.2"), resource("b", "old.1"),
		},
		Operations: []environment.OperationRecord{operation("a", "o1", 0)},
	})
	again := resource("a", "both", "new")
	again.Status = environment.Deploying
	j.change(t, environment.Changes{
		Created: []string{"a"}, Environments: []environment.Record{record("a")},
		Resources:  []environment.ResourceRecord{resource("a", "new"), again},
		Operations: []environment.OperationRecord{operation("a", "o2", 1)},
	})
	got, _, err := s.Resources(t.Context(), "a", store.Page{Limit: -1})
	require.NoError(t, err)
	sameJSON(t, []environment.ResourceRecord{again, resource("a", "new")}, got)
	others, _, err := s.Resources(t.Context(), "b", store.Page{Limit: -1})
	require.NoError(t, err)
	require.Equal(t, []string{"old.1"}, addresses(others))
	operations, _, err := s.Operations(t.Context(), "a", store.Page{})
	require.NoError(t, err)
	require.Len(t, operations, 2, "what was done is kept")

	j.change(t, environment.Changes{Created: []string{"a"}, Environments: []environment.Record{record("a")}})
	got, cursor, err := s.Resources(t.Context(), "a", store.Page{})
	require.NoError(t, err, "an environment without resources is there")
	require.Empty(t, got)
	require.Empty(t, cursor)
}

func testNotFound(t *testing.T, place Reopener) {
	s := opened(t, place)
	j := &journal{store: s}
	j.environments(t, record("a"))
	for _, name := range []string{"", "b", "A", "a ", "a\x00", "%", "a%", "'"} {
		_, err := s.Environment(t.Context(), name)
		require.ErrorIs(t, err, store.ErrNotFound, "%q", name)
		_, _, err = s.Resources(t.Context(), name, store.Page{})
		require.ErrorIs(t, err, store.ErrNotFound, "%q", name)
		_, _, err = s.Operations(t.Context(), name, store.Page{})
		require.ErrorIs(t, err, store.ErrNotFound, "%q", name)
		_, err = s.Template(t.Context(), name)
		require.ErrorIs(t, err, store.ErrNotFound, "%q", name)
	}
	_, _, err := s.Operations(t.Context(), "a", store.Page{})
	require.NoError(t, err)
}

// testConsistent reads while batches are written. The projection is never older than the journal
// was before, and never newer than the journal is after.
func testConsistent(t *testing.T, place Reopener) {
	s := opened(t, place)
	j := &journal{store: s}
	r := record("a")
	r.Revision = 1
	j.environments(t, r)
	const last = 200
	done := make(chan error, 1)
	go func() {
		var err error
		for seq := uint64(2); seq <= last && err == nil; seq++ {
			b := batch(0, seq, 1, "a")
			changed := r
			changed.Revision = seq
			b.Changes.Environments = []environment.Record{changed}
			err = s.Append(t.Context(), b)
		}
		done <- err
	}()
	for {
		select {
		case err := <-done:
			require.NoError(t, err)
			return
		default:
		}
		before, err := s.Head(t.Context(), 0)
		require.NoError(t, err)
		got, err := s.Environment(t.Context(), "a")
		require.NoError(t, err)
		after, err := s.Head(t.Context(), 0)
		require.NoError(t, err)
		require.GreaterOrEqual(t, got.Revision, before.Seq)
		require.LessOrEqual(t, got.Revision, after.Seq)
	}
}

// numbered is a name whose order as text is that of the numbers.
func numbered(prefix string, n int) string { return fmt.Sprintf("%s%04d", prefix, n) }

func removal(name, address, state string) environment.Removal {
	return environment.Removal{ResourceName: environment.ResourceName{Environment: name, Address: address}, State: state}
}
