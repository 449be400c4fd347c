package replication

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAnEntryIsAwaitedWhereEnoughSecondariesHaveIt(t *testing.T) {
	s := &Source{}
	s.peers.all = map[string]*Peer{}
	say := func(server string, seq uint64, stopped ...Stop) {
		s.peers.report(Report{Name: Name{Server: server}, Positions: []Position{{Partition: 3, Seq: seq}}, Stopped: stopped}, "")
	}
	reached := func(need int) bool {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		return s.Await(ctx, 3, 7, []string{"/a", "/b", "/c", "/never"}, need) == nil
	}
	require.True(t, reached(0), "where nobody is asked")
	say("a", 6)
	require.False(t, reached(1))
	say("b", 9, Stop{Partition: 3})
	require.False(t, reached(1), "another journal")
	say("other", 9)
	require.False(t, reached(1), "it is not asked")
	say("a", 7)
	require.True(t, reached(1))
	require.False(t, reached(2))

	done := make(chan error, 1)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	go func() { done <- s.Await(ctx, 3, 7, []string{"/a", "/c"}, 2) }()
	say("c", 8)
	require.NoError(t, <-done)
}
