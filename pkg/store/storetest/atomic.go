package storetest

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/store"
)

// loaded is a batch with something of everything.
func loaded(b store.Batch, name string) store.Batch {
	b.Changes.Created = []string{name}
	b.Changes.Environments = append(b.Changes.Environments, record(name))
	b.Changes.Resources = append(b.Changes.Resources, resource(name, "n.noop.x"), resource(name, "n.noop.y", "n.noop.x"))
	b.Changes.Operations = append(b.Changes.Operations, operation(name, "of-"+name, 0))
	b.Snapshots = []store.Snapshot{{Environment: name, Partition: b.Partition, Seq: 1, Data: []byte(name)}}
	b.Templates = []store.TemplateRecord{{Description: name, Archive: []byte(name)}}
	b.Templates[0].Hash = "hash-of-" + name
	return b
}

func requireNothing(t *testing.T, s store.Store, partition int, name string) {
	t.Helper()
	_, err := s.Environment(t.Context(), name)
	require.ErrorIs(t, err, store.ErrNotFound)
	_, _, err = s.Resources(t.Context(), name, store.Page{Limit: -1})
	require.ErrorIs(t, err, store.ErrNotFound)
	_, _, err = s.Operations(t.Context(), name, store.Page{})
	require.ErrorIs(t, err, store.ErrNotFound)
	_, err = s.Template(t.Context(), "hash-of-"+name)
	require.ErrorIs(t, err, store.ErrNotFound)
	shots, err := s.Snapshots(t.Context(), partition, name)
	require.NoError(t, err)
	require.Empty(t, shots)
	found, _, err := s.Environments(t.Context(), store.Filter{Text: name})
	require.NoError(t, err)
	require.Empty(t, found)
	require.Empty(t, read(t, s, store.Selection{Partition: -1, Environment: name}))
}

func testAtomic(t *testing.T, place Reopener) {
	s := opened(t, place)
	require.NoError(t, s.Append(t.Context(), batch(0, 1, 2, "a")))
	require.ErrorIs(t, s.Append(t.Context(), loaded(batch(0, 2, 2, "ghost"), "ghost")), store.ErrConflict)
	requireNothing(t, s, 0, "ghost")
	stale := loaded(batch(0, 3, 2, "ghost"), "ghost")
	stale.Epoch = 0
	require.ErrorIs(t, s.Append(t.Context(), stale), store.ErrStaleEpoch)
	s = reopened(t, s, place)
	requireNothing(t, s, 0, "ghost")
	require.NoError(t, s.Append(t.Context(), loaded(batch(0, 3, 1, "real"), "real")))
	_, err := s.Environment(t.Context(), "real")
	require.NoError(t, err)
}

// testAtomicInGroup: batches that wait together may be written together, but each succeeds or fails alone.
func testAtomicInGroup(t *testing.T, place Reopener) {
	s := opened(t, place)
	for p := range 8 {
		require.NoError(t, s.Append(t.Context(), batch(p, 1, 1, "a")))
	}
	var group sync.WaitGroup
	good, bad := make([]error, 8), make([]error, 8)
	for p := range 8 {
		name := string(rune('a' + p))
		group.Go(func() { good[p] = s.Append(t.Context(), loaded(batch(p, 2, 3, "good"+name), "good"+name)) })
		group.Go(func() { bad[p] = s.Append(t.Context(), loaded(batch(p, 1, 3, "bad"+name), "bad"+name)) })
	}
	group.Wait()
	for p := range 8 {
		name := string(rune('a' + p))
		require.NoError(t, good[p])
		require.ErrorIs(t, bad[p], store.ErrConflict)
		requireNothing(t, s, p, "bad"+name)
		got, _, err := s.Resources(t.Context(), "good"+name, store.Page{Limit: -1})
		require.NoError(t, err)
		require.Len(t, got, 2)
		require.Len(t, read(t, s, all(p)), 4)
	}
}

func testNoEntries(t *testing.T, place Reopener) {
	s := opened(t, place)
	require.NoError(t, s.Append(t.Context(), batch(0, 1, 2, "a")))
	b := store.Batch{Partition: 0, Epoch: 1, Snapshots: []store.Snapshot{{Environment: "a", Seq: 2, Data: []byte("x")}}}
	require.NoError(t, s.Append(t.Context(), b))
	shots, err := s.Snapshots(t.Context(), 0, "a")
	require.NoError(t, err)
	require.Equal(t, b.Snapshots, shots)
	b.Epoch = 0
	require.ErrorIs(t, s.Append(t.Context(), b), store.ErrStaleEpoch)
	head, err := s.Head(t.Context(), 0)
	require.NoError(t, err)
	require.EqualValues(t, 2, head.Seq)
}
