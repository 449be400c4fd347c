package storetest

import (
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/store"
)

func counted(epoch, version uint64, names ...string) store.Secondaries {
	s := store.Secondaries{Epoch: epoch, Version: version, Counted: []store.Secondary{}}
	for _, n := range names {
		s.Counted = append(s.Counted, store.Secondary{Name: n, Side: "side of " + n})
	}
	return s
}

// testSecondaries: they are written in the place of those that were seen, for all handles and over restarts, and not by who was replaced.
func testSecondaries(t *testing.T, place Reopener) {
	ctx := t.Context()
	s, other := opened(t, place), opened(t, place)
	found, err := s.Secondaries(ctx)
	require.NoError(t, err)
	require.Equal(t, store.Secondaries{}, found)

	one := counted(1, 7, "dr/a")
	one.Joining = &store.Secondary{Name: "dr/b"}
	require.ErrorIs(t, s.Count(ctx, 6, one), store.ErrConflict)
	require.NoError(t, s.Count(ctx, 0, one))
	found, err = other.Secondaries(ctx)
	require.NoError(t, err)
	require.Equal(t, one, found)
	require.ErrorIs(t, other.Count(ctx, 0, counted(1, 8, "dr/c")), store.ErrConflict)
	two := counted(1, 9, "dr/a", "dr/b")
	require.NoError(t, other.Count(ctx, 7, two))
	found, err = s.Secondaries(ctx)
	require.NoError(t, err)
	require.Equal(t, two, found)

	b := batch(0, 1, 1, "a")
	b.Epoch = 2
	require.NoError(t, s.Append(ctx, b))
	require.ErrorIs(t, s.Count(ctx, 9, counted(1, 10)), store.ErrStaleEpoch)
	s = reopened(t, s, place)
	found, err = s.Secondaries(ctx)
	require.NoError(t, err)
	require.Equal(t, two, found)
	require.NoError(t, s.Count(ctx, 9, counted(2, 10)))
	epoch, err := s.Epoch(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 2, epoch)
}

// testSecondariesRace: of several that write at once, one does.
func testSecondariesRace(t *testing.T, place Reopener) {
	handles := []store.Store{opened(t, place), opened(t, place)}
	var wrote, refused sync.Map
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			switch err := handles[n%2].Count(t.Context(), 0, counted(1, uint64(n)+1, "dr/a")); { //nolint:gosec // small
			case err == nil:
				wrote.Store(n, true)
			case errors.Is(err, store.ErrConflict):
				refused.Store(n, true)
			default:
				t.Errorf("%d: %v", n, err)
			}
		})
	}
	all.Wait()
	count := func(m *sync.Map) (n int) {
		m.Range(func(any, any) bool { n++; return true })
		return n
	}
	require.Equal(t, 1, count(&wrote))
	require.Equal(t, 7, count(&refused))
}
