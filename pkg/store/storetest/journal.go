package storetest

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/store"
)

func testEmpty(t *testing.T, place Reopener) {
	s := opened(t, place)
	epoch, err := s.Epoch(t.Context())
	require.NoError(t, err)
	require.Zero(t, epoch)
	head, err := s.Head(t.Context(), 5)
	require.NoError(t, err)
	require.Equal(t, store.Head{Partition: 5}, head)
	require.Empty(t, read(t, s, all(5)))
	found, cursor, err := s.Environments(t.Context(), store.Filter{})
	require.NoError(t, err)
	require.Empty(t, found)
	require.Empty(t, cursor)
	shots, err := s.Snapshots(t.Context(), 5, "")
	require.NoError(t, err)
	require.Empty(t, shots)
}

func testAppend(t *testing.T, place Reopener) {
	s := opened(t, place)
	first, second := batch(3, 1, 2, "a"), batch(3, 3, 40, "b")
	require.NoError(t, s.Append(t.Context(), first))
	require.NoError(t, s.Append(t.Context(), second))
	bare := store.Batch{Partition: 3, Epoch: 1, Entries: []store.Entry{{Partition: 3, Seq: 43}}}
	require.NoError(t, s.Append(t.Context(), bare), "what is empty stays empty")
	sameEntries(t, slices.Concat(first.Entries, second.Entries, bare.Entries), read(t, s, all(3)))
	require.Empty(t, read(t, s, all(2)))
	head, err := s.Head(t.Context(), 3)
	require.NoError(t, err)
	require.Equal(t, store.Head{Partition: 3, Seq: 43}, head)
}

func testRestart(t *testing.T, place Reopener) {
	s := opened(t, place)
	b := batch(1, 1, 3, "a")
	b.Epoch = 4
	b.Changes.Environments = append(b.Changes.Environments, record("a"))
	b.Changes.Resources = append(b.Changes.Resources, resource("a", "n.noop.x"))
	b.Snapshots = []store.Snapshot{{Environment: "a", Partition: 1, Seq: 3, Data: []byte{0, 1, 255}}}
	require.NoError(t, s.Append(t.Context(), b))

	s = reopened(t, s, place)
	sameEntries(t, b.Entries, read(t, s, all(1)))
	epoch, err := s.Epoch(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 4, epoch)
	r, err := s.Environment(t.Context(), "a")
	require.NoError(t, err)
	sameJSON(t, record("a"), r)
	shots, err := s.Snapshots(t.Context(), 1, "")
	require.NoError(t, err)
	require.Equal(t, b.Snapshots, shots)

	again := batch(1, 3, 1, "a")
	again.Epoch = 4
	require.ErrorIs(t, s.Append(t.Context(), again), store.ErrConflict)
	next := batch(1, 4, 1, "a")
	next.Epoch = 4
	require.NoError(t, s.Append(t.Context(), next))
}

func testConflict(t *testing.T, place Reopener) {
	s := opened(t, place)
	require.NoError(t, s.Append(t.Context(), batch(0, 1, 3, "a")))
	for _, first := range []uint64{1, 2, 3} {
		require.ErrorIs(t, s.Append(t.Context(), batch(0, first, 2, "b")), store.ErrConflict, "entry %d is taken", first)
	}
	require.Len(t, read(t, s, all(0)), 3)
	require.Empty(t, read(t, s, store.Selection{Partition: -1, Environment: "b"}))
	require.NoError(t, s.Append(t.Context(), batch(0, 4, 1, "a")))
	require.NoError(t, s.Append(t.Context(), batch(1, 1, 1, "a")), "other partitions have sequences of their own")
}

func testGap(t *testing.T, place Reopener) {
	s := opened(t, place)
	require.ErrorIs(t, s.Append(t.Context(), batch(0, 2, 1, "a")), store.ErrConflict)
	require.ErrorIs(t, s.Append(t.Context(), batch(0, 0, 2, "a")), store.ErrConflict)
	require.NoError(t, s.Append(t.Context(), batch(0, 1, 1, "a")))
	require.ErrorIs(t, s.Append(t.Context(), batch(0, 3, 1, "a")), store.ErrConflict)

	holed := batch(0, 2, 3, "a")
	holed.Entries[2].Seq = 5
	require.ErrorIs(t, s.Append(t.Context(), holed), store.ErrConflict)
	foreign := batch(0, 2, 2, "a")
	foreign.Entries[1].Partition = 1
	require.ErrorIs(t, s.Append(t.Context(), foreign), store.ErrConflict)
	require.Len(t, read(t, s, all(0)), 1)
	require.NoError(t, s.Append(t.Context(), batch(0, 2, 1, "a")))
}

// testRace: two servers that both believe to own a partition. Each entry is written by exactly one of them.
func testRace(t *testing.T, place Reopener) {
	handles := []store.Store{opened(t, place), opened(t, place)}
	owners := []string{"first", "second"}
	for seq := uint64(1); seq <= 40; seq++ {
		errs := make([]error, len(handles))
		var group sync.WaitGroup
		for i, s := range handles {
			group.Go(func() { errs[i] = s.Append(t.Context(), batch(2, seq, 1, owners[i])) })
		}
		group.Wait()
		winner := 0
		if errs[0] != nil {
			winner = 1
		}
		require.NoError(t, errs[winner], "one has to win entry %d", seq)
		require.ErrorIs(t, errs[1-winner], store.ErrConflict)
		for _, s := range handles {
			got := read(t, s, store.Selection{Partition: 2, After: seq - 1})
			require.Len(t, got, 1)
			require.Equal(t, owners[winner], got[0].Environment)
		}
	}
}

func testEpoch(t *testing.T, place Reopener) {
	s, other := opened(t, place), opened(t, place)
	at := func(partition int, seq, epoch uint64) store.Batch {
		b := batch(partition, seq, 1, "a")
		b.Epoch = epoch
		return b
	}
	inForce := func(want uint64) {
		t.Helper()
		for _, handle := range []store.Store{s, other} {
			epoch, err := handle.Epoch(t.Context())
			require.NoError(t, err)
			require.Equal(t, want, epoch)
		}
	}
	require.NoError(t, s.Append(t.Context(), at(0, 1, 2)))
	require.NoError(t, other.Append(t.Context(), at(0, 2, 2)))
	inForce(2)
	require.ErrorIs(t, s.Append(t.Context(), at(0, 3, 1)), store.ErrStaleEpoch)
	require.NoError(t, other.Append(t.Context(), at(1, 1, 5)))
	require.ErrorIs(t, s.Append(t.Context(), at(0, 3, 4)), store.ErrStaleEpoch, "an epoch is in force in all partitions")
	inForce(5)
	require.ErrorIs(t, s.Append(t.Context(), at(0, 1, 9)), store.ErrConflict)
	inForce(5)
	s = reopened(t, s, place)
	inForce(5)
	require.ErrorIs(t, s.Append(t.Context(), at(0, 3, 4)), store.ErrStaleEpoch)
	require.NoError(t, s.Append(t.Context(), at(0, 3, 5)))
}

func testSelection(t *testing.T, place Reopener) {
	s := opened(t, place)
	seq := uint64(0)
	for range 20 {
		for _, name := range []string{"a", "b"} {
			seq++
			require.NoError(t, s.Append(t.Context(), batch(4, seq, 1, name)))
		}
	}
	require.NoError(t, s.Append(t.Context(), batch(5, 1, 1100, "many")))
	seqs := func(q store.Selection) (found []uint64) {
		for _, e := range read(t, s, q) {
			found = append(found, e.Seq)
		}
		return found
	}
	require.Equal(t, []uint64{1, 2, 3}, seqs(store.Selection{Partition: 4, Limit: 3}))
	require.Equal(t, []uint64{39, 40}, seqs(store.Selection{Partition: 4, After: 38}))
	require.Empty(t, seqs(store.Selection{Partition: 4, After: 40}))
	require.Empty(t, seqs(store.Selection{Partition: 4, After: 1<<64 - 1}))
	require.Equal(t, []uint64{2, 4, 6}, seqs(store.Selection{Partition: 4, Environment: "b", Limit: 3}))
	require.Equal(t, []uint64{36, 38, 40}, seqs(store.Selection{Partition: -1, Environment: "b", After: 34}))
	require.Equal(t, []uint64{35, 37}, seqs(store.Selection{Partition: -1, Environment: "a", After: 34, Limit: 2}))
	require.Empty(t, seqs(store.Selection{Partition: 5, Environment: "b"}))
	require.Empty(t, seqs(store.Selection{Partition: 0}))
	require.Len(t, seqs(store.Selection{Partition: 5}), 1000, "no limit takes 1000")
	require.Len(t, seqs(store.Selection{Partition: -1, Environment: "many", Limit: 2000}), 1100)
}

func testPartitions(t *testing.T, place Reopener) {
	s := opened(t, place)
	var group sync.WaitGroup
	errs := make([]error, 16)
	for p := range 16 {
		group.Go(func() {
			for seq := uint64(1); seq <= 20 && errs[p] == nil; seq++ {
				errs[p] = s.Append(t.Context(), batch(p, seq*3-2, 3, "a"))
			}
		})
	}
	group.Wait()
	require.NoError(t, errors.Join(errs...))
	for p := range 16 {
		sameEntries(t, entries(p, 1, 60, "a"), read(t, s, all(p)))
	}
}
