package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// patience is how long a test waits for what has to come; it only passes when something is broken.
const patience = 30 * time.Second

func requireValue(t *testing.T, c <-chan struct{}) {
	t.Helper()
	select {
	case _, open := <-c:
		require.True(t, open, "the watch has ended")
	case <-time.After(patience):
		require.FailNow(t, "nobody told the watcher of a change")
	}
}

func testWatch(t *testing.T, place Reopener) {
	s := opened(t, place)
	first, second := s.Watch(t.Context()), s.Watch(t.Context())
	for seq := uint64(1); seq <= 3; seq++ {
		require.NoError(t, s.Append(t.Context(), batch(0, seq, 1, "a")))
		requireValue(t, first)
		requireValue(t, second)
	}
	for seq := uint64(4); seq <= 50; seq++ {
		require.NoError(t, s.Append(t.Context(), batch(0, seq, 1, "a")), "nobody waits for a watcher that does not read")
	}
	requireValue(t, first)
}

func testWatchOther(t *testing.T, place Reopener) {
	s, other := opened(t, place), opened(t, place)
	changes := s.Watch(t.Context())
	for seq := uint64(1); seq <= 3; seq++ {
		require.NoError(t, other.Append(t.Context(), batch(0, seq, 1, "a")))
		requireValue(t, changes)
		require.Len(t, read(t, s, all(0)), int(seq))
	}
}

func testWatchEnds(t *testing.T, place Reopener) {
	s := place.Open(t)
	ctx, cancel := context.WithCancel(t.Context())
	mine, others := s.Watch(ctx), s.Watch(t.Context())
	cancel()
	requireClosed(t, mine)
	require.NoError(t, s.Append(t.Context(), batch(0, 1, 1, "a")))
	requireValue(t, others)
	require.NoError(t, s.Close())
	requireClosed(t, others)
}

func requireClosed(t *testing.T, c <-chan struct{}) {
	t.Helper()
	limit := time.After(patience)
	for {
		select {
		case _, open := <-c:
			if !open {
				return
			}
		case <-limit:
			require.FailNow(t, "the watch does not end")
		}
	}
}
