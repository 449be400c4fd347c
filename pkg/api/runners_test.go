package api

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/event"
)

// heard are two runners; one of them can't reach a target.
func heard() []event.Alive {
	return []event.Alive{
		{Name: "rack-9", Runner: "rack-9/1", Pools: []string{"us"}, Executors: []string{"action"}, Concurrency: 2, Leaving: true, Time: began},
		{Name: "rack-4", Runner: "rack-4/7", Pools: []string{"eu"}, Executors: []string{"terraform"}, Labels: []string{"gpu"}, Concurrency: 8, Running: 3,
			Breakers: []event.Breaker{{Executor: "terraform", Target: "vault-eu", Until: began.Add(time.Minute), Error: "no answer"}},
			Version:  "1", Time: began},
	}
}

func TestRunners(t *testing.T) {
	f := start(t, func(o *Options) { o.Runners = heard })
	list := read[wire.List[wire.Runner]](f, "/runners")
	require.Len(t, list.Items, 2)
	require.Equal(t, wire.Runner{
		Name: "rack-4", Runner: "rack-4/7", Pools: []string{"eu"}, Executors: []string{"terraform"}, Probes: []string{}, Labels: []string{"gpu"}, Concurrency: 8,
		Running: 3, Breakers: heard()[1].Breakers, Version: "1", LastHeard: began,
	}, list.Items[0])
	require.True(t, list.Items[1].Leaving)
	_, body := f.get("/runners")
	require.NotContains(t, string(body), "null")

	require.Empty(t, read[wire.List[wire.Runner]](start(t, nil), "/runners").Items, "nobody listens")
}

func TestHealthShowsBreakersAndPoolsWithoutRunners(t *testing.T) {
	f := start(t, func(o *Options) {
		o.Runners, o.Pools = heard, func() []string { return []string{"void", "eu", "us", "void"} }
	})
	detailed := read[wire.Health](f, "/self/liveliness?type=detailed")
	require.Equal(t, degraded, detailed.Status)
	require.Equal(t, []wire.RunnerBreaker{{RunnerName: "rack-4", Breaker: heard()[1].Breakers[0]}}, detailed.Breakers)
	require.Equal(t, []string{"us", "void"}, detailed.PoolsWithoutRunners, "one that leaves takes nothing")
	require.Equal(t, wire.Health{Status: degraded}, read[wire.Health](f, "/self/liveliness"))
	require.Equal(t, degraded, read[wire.Health](f, "/self/readiness").Status, "runners are missing, and yet the server is ready")

	silent := start(t, func(o *Options) { o.Pools = func() []string { return []string{"eu"} } })
	require.Equal(t, up, read[wire.Health](silent, "/self/liveliness?type=detailed").Status, "a server that hears no runners misses none")
}
