package storetest

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/store"
)

func testRelayed(t *testing.T, place Reopener) {
	s := opened(t, place)
	require.NoError(t, s.Append(t.Context(), batch(0, 1, 9, "a")))
	relayed := func() uint64 {
		head, err := s.Head(t.Context(), 0)
		require.NoError(t, err)
		require.EqualValues(t, 9, head.Seq)
		return head.Relayed
	}
	require.Zero(t, relayed())
	require.NoError(t, s.Relayed(t.Context(), 0, 5))
	require.EqualValues(t, 5, relayed())
	require.NoError(t, s.Relayed(t.Context(), 0, 3))
	require.EqualValues(t, 5, relayed(), "it never falls")
	s = reopened(t, s, place)
	require.EqualValues(t, 5, relayed(), "closing writes it")
	require.NoError(t, s.Relayed(t.Context(), 0, 4))
	require.NoError(t, s.Close())
	s = opened(t, place)
	require.EqualValues(t, 5, relayed(), "nor by what a new handle is told")
	require.NoError(t, s.Relayed(t.Context(), 7, 1), "a partition without entries")
	require.NoError(t, s.Append(t.Context(), batch(7, 1, 1, "a")))
}

func testSnapshots(t *testing.T, place Reopener) {
	s := opened(t, place)
	require.NoError(t, s.Append(t.Context(), batch(0, 1, 9, "a")))
	shot := func(name string, seq uint64, data string) store.Snapshot {
		return store.Snapshot{Environment: name, Seq: seq, Data: []byte(data)}
	}
	write := func(shots ...store.Snapshot) {
		require.NoError(t, s.Append(t.Context(), store.Batch{Epoch: 1, Snapshots: shots}))
	}
	write(shot("b", 2, "b2"), shot("a", 3, "a3"))
	write(shot("a", 5, "a5"))
	write(shot("a", 4, "late"))
	for range 2 {
		got, err := s.Snapshots(t.Context(), 0, "")
		require.NoError(t, err)
		require.ElementsMatch(t, []store.Snapshot{shot("a", 5, "a5"), shot("b", 2, "b2")}, got, "only the newest of each")
		got, err = s.Snapshots(t.Context(), 0, "b")
		require.NoError(t, err)
		require.Equal(t, []store.Snapshot{shot("b", 2, "b2")}, got)
		got, err = s.Snapshots(t.Context(), 1, "a")
		require.NoError(t, err)
		require.Empty(t, got)
		s = reopened(t, s, place)
	}
}

func testTemplates(t *testing.T, place Reopener) {
	s := opened(t, place)
	kept := store.TemplateRecord{Description: "the notes", Tags: []string{"a"}, Archive: []byte{31, 139, 0, 255}}
	kept.Name, kept.Version, kept.Hash, kept.Commit = "notes", "1.0.0", "h", "c"
	other := kept
	other.Description, other.Archive = "another", nil
	for _, record := range []store.TemplateRecord{kept, other} {
		require.NoError(t, s.Append(t.Context(), store.Batch{Epoch: 1, Templates: []store.TemplateRecord{record}}))
		got, err := s.Template(t.Context(), "h")
		require.NoError(t, err)
		require.Equal(t, kept, got, "a template is written once")
	}
	_, err := s.Template(t.Context(), "g")
	require.ErrorIs(t, err, store.ErrNotFound)
}

func testContext(t *testing.T, place Reopener) {
	s := opened(t, place)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, s.Append(ctx, batch(0, 1, 1, "a")), context.Canceled)
	require.Empty(t, read(t, s, all(0)), "a context that has ended writes nothing")
	_, err := s.Entries(ctx, all(0))
	require.ErrorIs(t, err, context.Canceled)
	_, _, err = s.Environments(ctx, store.Filter{})
	require.ErrorIs(t, err, context.Canceled)
	_, err = s.Environment(ctx, "a")
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, s.Append(t.Context(), batch(0, 1, 1, "a")))
}

func testClosed(t *testing.T, place Reopener) {
	s := place.Open(t)
	require.NoError(t, s.Append(t.Context(), batch(0, 1, 1, "a")))
	require.NoError(t, s.Close())
	require.NoError(t, s.Close(), "closing twice is harmless")
	require.Error(t, s.Append(t.Context(), batch(0, 2, 1, "a")))
	require.Error(t, s.Relayed(t.Context(), 0, 1))
	_, err := s.Environment(t.Context(), "a")
	require.Error(t, err)
	require.NotErrorIs(t, err, store.ErrNotFound, "that nobody can know")
	_, open := <-s.Watch(t.Context())
	require.False(t, open)
}

func testInfo(t *testing.T, place Reopener) {
	info := opened(t, place).Info()
	require.NotEmpty(t, info.Driver)
	require.NotEmpty(t, info.Version)
	require.NotEmpty(t, info.Address)
}
