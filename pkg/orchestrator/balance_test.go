package orchestrator

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
)

func TestPartitionsAreSpreadByTheSameRuleEverywhere(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	names := []string{"c", "a", "b"}
	views := map[string]*peers{}
	for _, self := range names {
		views[self] = newPeers(self)
		for _, other := range names {
			views[self].alive(event.ServerPresence{Server: other}, now)
		}
	}
	require.Empty(t, views["a"].owner(1, now), "too early to say")
	later := now.Add(peerSettled)
	for n := range 16 {
		owners := 0
		for self := range views {
			if views[self].owner(n, later) == "" {
				owners++
			}
		}
		require.Equal(t, 1, owners, "partition %d", n)
	}
}

func TestADeadServerLeavesTheRule(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	p := newPeers("a")
	p.alive(event.ServerPresence{Server: "a"}, now)
	p.alive(event.ServerPresence{Server: "b"}, now)
	now = now.Add(peerSettled)
	p.alive(event.ServerPresence{Server: "b"}, now)
	require.Equal(t, "b", p.owner(1, now))
	now = now.Add(peerGone + time.Millisecond)
	require.Empty(t, p.owner(1, now))
	p.alive(event.ServerPresence{Server: "b"}, now)
	require.Empty(t, p.owner(1, now), "it has to stay for a while")
	p.alive(event.ServerPresence{Server: "b", Leaving: true}, now.Add(time.Second))
	require.Empty(t, p.owner(1, now.Add(time.Hour)))
}

func TestRegistryAddsUpPools(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	r := newRegistry()
	open := func(sec int) []event.Breaker {
		return []event.Breaker{{Executor: "vault", Target: "v", Until: now.Add(time.Duration(sec) * time.Second)}}
	}
	alive := func(name string, concurrency int, breakers []event.Breaker) event.Alive {
		return event.Alive{Name: name, Runner: name + "/1", Pools: []string{"p", "q"}, Executors: []string{"vault", "action"}, Concurrency: concurrency, Breakers: breakers}
	}
	require.Zero(t, r.pool("p", "vault").Runners)
	r.alive(alive("one", 4, open(30)), now)
	r.alive(alive("two", 3, open(20)), now)
	p := r.pool("p", "vault")
	require.Equal(t, 2, p.Runners)
	require.Equal(t, 7, p.Concurrency)
	require.Equal(t, now.Add(20*time.Second), p.Open.Until, "the first to let one through")
	require.Nil(t, r.pool("q", "action").Open)
	r.alive(alive("two", 3, nil), now)
	require.Nil(t, r.pool("p", "vault").Open, "one of them can work")
	require.Zero(t, r.pool("p", "terraform").Runners)

	r.expire(now.Add(heardFor + time.Millisecond))
	require.Zero(t, r.pool("p", "vault").Runners)
	r.hello(event.Hello{Name: "three", Runner: "three/1", Pools: []string{"p"}, Executors: []string{"vault"}}, now)
	r.expire(now.Add(heardFor + time.Millisecond))
	require.Equal(t, 1, r.pool("p", "vault").Runners, "one that has only said hello is given longer")
	gone := alive("three", 1, nil)
	gone.Leaving = true
	r.alive(gone, now)
	require.Empty(t, r.list())
}
