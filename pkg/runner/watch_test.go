package runner

import (
	"context"
	"encoding/json"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// oracle is an executor that knows about endpoints, and what resources use.
type oracle struct {
	funcs
	say   atomic.Pointer[func(mark uint64) (executor.Health, error)]
	asked atomic.Int64
	usage func(executor.Request) (event.Usage, error)
}

func (*oracle) Scheme() string { return "oracle" }

func (o *oracle) Await(ctx context.Context, _ event.Endpoint, mark uint64) (executor.Health, error) {
	o.asked.Add(1)
	if say := o.say.Load(); say != nil {
		return (*say)(mark)
	}
	if mark != 0 {
		<-ctx.Done()
		return executor.Health{}, fault.From(ctx.Err())
	}
	return executor.Health{Healthy: true, Mark: 1}, nil
}

func (o *oracle) Usage(_ context.Context, r executor.Request) (event.Usage, error) { return o.usage(r) }

func (o *oracle) says(h executor.Health, err error) {
	say := func(uint64) (executor.Health, error) { return h, err }
	o.say.Store(&say)
}

// withOracle gives the runner one besides its executor.
func withOracle(o *oracle) func(*Options) {
	o.name = "oracle"
	return func(options *Options) { options.Executors = append(options.Executors, o) }
}

func watch(known event.HealthStatus) event.Watch {
	return event.Watch{Environment: "notes", Operation: "op-1", Step: "notes.x.a", Known: known, Endpoint: &event.Endpoint{URL: "oracle://notes"}}
}

// lease tells the runner what to watch of partition 3.
func (g *rig) lease(all ...event.Watch) {
	g.tell(event.WatchesLeased, event.Watches{Partition: 3, Epoch: 1, Runner: g.runner.id, Lease: 20 * time.Second, Watches: all})
}

// keep renews the lease while time goes by.
func (g *rig) keep(d time.Duration, all ...event.Watch) {
	for range d / (5 * time.Second) {
		g.lease(all...)
		g.pass(5 * time.Second)
	}
}

func (g *rig) reports() []event.ResourceHealth {
	return sent[event.ResourceHealth](g, event.HealthReported)
}

func TestAWatchTellsWhatHasChanged(t *testing.T) {
	o := &oracle{}
	inBubble(t, funcs{}, func(t *testing.T, g *rig) {
		o.says(executor.Health{Healthy: true}, nil)
		g.keep(time.Minute, watch(event.Healthy))
		require.Empty(t, g.reports(), "it is as the server knows it")
		require.Equal(t, bus.RunnerTopic("one"), bus.RunnerTopic(g.runner.id))

		o.says(executor.Health{Detail: "away"}, nil)
		g.keep(30*time.Second, watch(event.Healthy))
		reports := g.reports()
		require.NotEmpty(t, reports)
		require.Equal(t, event.Unhealthy, reports[0].Status)
		require.Equal(t, "oracle://notes: away", reports[0].Detail)
		require.Equal(t, bus.Address{Key: bus.Partition(3)}, g.first(event.HealthReported).To)
		require.Greater(t, len(reports), 1, "the server has not heard, so it is said again")

		n := len(reports)
		g.keep(time.Minute, watch(event.Unhealthy))
		require.Len(t, g.reports(), n, "now it has")
		o.says(executor.Health{}, fault.New(fault.Wait, fault.Unavailable, "nobody there"))
		g.keep(time.Minute, watch(event.Unhealthy))
		last := g.reports()[len(g.reports())-1]
		require.Equal(t, event.HealthUnknown, last.Status)
		require.Equal(t, "nobody there", last.Detail)
	}, withOracle(o))
}

func TestWhatFlapsIsNotTold(t *testing.T) {
	o := &oracle{}
	inBubble(t, funcs{}, func(t *testing.T, g *rig) {
		var n atomic.Int64
		say := func(uint64) (executor.Health, error) { return executor.Health{Healthy: n.Add(1)%3 != 0}, nil }
		o.say.Store(&say)
		g.keep(10*time.Minute, watch(event.Healthy))
		require.Empty(t, g.reports())
		require.Greater(t, n.Load(), int64(60), "it was looked at more often while it seemed to have changed")
	}, withOracle(o))
}

func TestAWatchEnds(t *testing.T) {
	for name, end := range map[string]func(g *rig){
		"with its lease":       func(g *rig) { g.pass(30 * time.Second) },
		"when it is left out":  func(g *rig) { g.lease() },
		"when it is another's": func(g *rig) { g.lease(event.Watch{Environment: "other", Operation: "op-1", Step: "x"}) },
		"when it is validated new": func(g *rig) {
			g.lease(func() event.Watch { w := watch(event.Healthy); w.Operation = "op-2"; w.Endpoint = nil; return w }())
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := &oracle{}
			inBubble(t, funcs{}, func(t *testing.T, g *rig) {
				g.lease(watch(event.Healthy))
				g.pass(15 * time.Second)
				require.Equal(t, int64(2), o.asked.Load(), "once at first, and then it waits for news")
				end(g)
				g.settle()
				o.says(executor.Health{Detail: "away"}, nil)
				g.pass(5 * time.Minute)
				require.Equal(t, int64(2), o.asked.Load())
				require.Empty(t, g.reports())
			}, withOracle(o))
		})
	}
}

func TestLeasesOfOthersAreNoBusinessOfOurs(t *testing.T) {
	o := &oracle{}
	inBubble(t, funcs{}, func(t *testing.T, g *rig) {
		g.tell(event.WatchesLeased, event.Watches{Partition: 3, Epoch: 1, Runner: "one/earlier", Lease: time.Hour, Watches: []event.Watch{watch(event.Healthy)}})
		g.tell(event.WatchesLeased, event.Watches{Partition: 3, Epoch: 5, Runner: g.runner.id, Lease: time.Hour, Watches: []event.Watch{}})
		g.lease(watch(event.Healthy)) // of epoch 1
		g.pass(time.Minute)
		require.Zero(t, o.asked.Load())
	}, withOracle(o))
}

func TestAPanicOfAProberIsNotTheRunnersEnd(t *testing.T) {
	o := &oracle{}
	inBubble(t, funcs{}, func(t *testing.T, g *rig) {
		say := func(uint64) (executor.Health, error) { panic("never thought of") }
		o.say.Store(&say)
		g.keep(time.Minute, watch(event.Healthy))
		require.Equal(t, event.HealthUnknown, g.reports()[0].Status)
	}, withOracle(o))
}

func TestUsageIsMeasuredWhileItIsWanted(t *testing.T) {
	o := &oracle{}
	inBubble(t, funcs{}, func(t *testing.T, g *rig) {
		sealed := g.box.Seal(json.RawMessage(`"hunter2!"`))
		w := event.Watch{Environment: "notes", Operation: "op-1", Step: "notes.x.a", Measure: true, Executor: "oracle",
			Inputs: json.RawMessage(`{"password":` + string(sealed) + `}`)}
		o.usage = func(r executor.Request) (event.Usage, error) {
			require.JSONEq(t, `{"password":"hunter2!"}`, string(r.Inputs))
			return event.Usage{Replicas: []event.ReplicaUsage{{Name: "a", Memory: 7}}}, nil
		}
		g.keep(30*time.Second, w)
		all := sent[event.ResourceUsage](g, event.UsageReported)
		require.GreaterOrEqual(t, len(all), 3)
		require.Equal(t, int64(7), all[0].Usage.Replicas[0].Memory)
		require.Equal(t, topicRunners, g.first(event.UsageReported).To)

		o.usage = func(executor.Request) (event.Usage, error) {
			return event.Usage{}, fault.New(fault.Wait, fault.Unavailable, "no answer for hunter2!")
		}
		g.keep(10*time.Second, w)
		all = sent[event.ResourceUsage](g, event.UsageReported)
		require.Equal(t, "no answer for (sensitive)", all[len(all)-1].Error)
		g.lease()
		n := len(all)
		g.pass(time.Minute)
		require.Len(t, sent[event.ResourceUsage](g, event.UsageReported), n)
	}, withOracle(o))
}
