package runner

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

func TestOptionsAreChecked(t *testing.T) {
	good := func() Options {
		return Options{Bus: newMemoryBus(), Name: "one", Pools: []string{"p"}, WorkDir: "w", Executors: []executor.Executor{funcs{name: "x"}}}
	}
	_, err := New(good())
	require.NoError(t, err)
	for name, change := range map[string]func(*Options){
		"no bus":        func(o *Options) { o.Bus = nil },
		"no name":       func(o *Options) { o.Name = "" },
		"slash in name": func(o *Options) { o.Name = "a/b" },
		"no pool":       func(o *Options) { o.Pools = nil },
		"no folder":     func(o *Options) { o.WorkDir = "" },
		"same executor": func(o *Options) { o.Executors = append(o.Executors, funcs{name: "x"}) },
	} {
		o := good()
		change(&o)
		_, err := New(o)
		require.Error(t, err, name)
	}
}

func TestStopWaitsForWhatRuns(t *testing.T) {
	x := funcs{apply: func(context.Context, executor.Request) (executor.Outputs, error) {
		<-time.After(time.Minute)
		return nil, nil
	}}
	inBubble(t, x, func(t *testing.T, g *rig) {
		g.offer(task())
		stopped := make(chan error, 1)
		go func() { stopped <- g.stop(time.Hour) }()
		g.pass(30 * time.Second)
		require.False(t, g.runner.Status().Ready)
		require.Len(t, sent[event.Heartbeat](g, event.RunnerHeartbeat), 6, "it is heard until the end")
		require.NoError(t, <-stopped)
		require.Nil(t, g.result().Error)
		require.Equal(t, []string{"listener"}, g.bus.closed)
		require.NoError(t, g.stop(0), "twice does no harm")
		require.Error(t, g.runner.Start(t.Context()))
	})
}

func TestStopCancelsWhatTakesTooLong(t *testing.T) {
	x := funcs{apply: func(ctx context.Context, r executor.Request) (executor.Outputs, error) {
		<-ctx.Done()
		r.Log("out", "cleaning up")
		<-time.After(time.Second) // its grace
		return nil, ctx.Err()
	}}
	inBubble(t, x, func(t *testing.T, g *rig) {
		g.offer(task())
		err := g.stop(time.Minute)
		require.ErrorContains(t, err, "1 tasks had to be cancelled")
		require.Equal(t, fault.RunnerLost, g.result().Error.Code)
		require.Equal(t, fault.Retry, g.result().Error.Disposition, "another runner may do it")
		require.Len(t, sent[event.Logs](g, event.TaskLogs), 1)
	})
}

func TestStopGivesUpOnAResultThatNobodyTakes(t *testing.T) {
	inBubble(t, funcs{}, func(t *testing.T, g *rig) {
		g.bus.stall()
		g.offer(task())
		require.ErrorContains(t, g.stop(time.Second), "notes/notes.x.a")
		require.Empty(t, g.results())
	})
}

func TestStopEndsAlthoughAnExecutorHeedsNoContext(t *testing.T) {
	gate := make(chan struct{})
	x := funcs{apply: func(context.Context, executor.Request) (executor.Outputs, error) { <-gate; return nil, nil }}
	inBubble(t, x, func(t *testing.T, g *rig) {
		gate = make(chan struct{})
		g.offer(task())
		require.ErrorContains(t, g.stop(time.Second), "without a result: [notes/notes.x.a]")
		close(gate)
	})
}

func TestStopBeforeStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := prepare(t, funcs{})
		require.NoError(t, g.stop(0))
		require.Error(t, g.runner.Start(t.Context()))
	})
}

func TestAStartThatFailsLeavesNothingAndMayBeRepeated(t *testing.T) {
	for _, method := range []string{"Declare", "Listen", "Consume"} {
		synctest.Test(t, func(t *testing.T) {
			g := prepare(t, funcs{})
			g.bus.fail[method] = errNoBroker
			require.ErrorIs(t, g.runner.Start(t.Context()), errNoBroker)
			if method == "Consume" {
				require.Equal(t, []string{"listener"}, g.bus.closed)
			}
			g.bus.fail = map[string]error{}
			require.NoError(t, g.runner.Start(t.Context()))
			require.True(t, g.runner.Status().Ready)
		})
	}
}

func TestAConsumerThatCanNotBeMadeIsTriedAgain(t *testing.T) {
	inBubble(t, funcs{}, func(t *testing.T, g *rig) {
		g.bus.fail["Consume"] = errNoBroker
		g.tell(event.RunnerWelcome, event.Welcome{WrappedKey: wrap(g, hellos(g)[0])})
		require.False(t, g.runner.Status().Ready)
		g.bus.mu.Lock()
		delete(g.bus.fail, "Consume")
		g.bus.mu.Unlock()
		g.pass(helloEvery)
		require.True(t, g.runner.Status().Ready)
		require.NotNil(t, g.bus.consumer(bus.Tasks("default")))
	}, func(o *Options) { o.Box = nil })
}
