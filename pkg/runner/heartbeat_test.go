package runner

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

func in(partition int) func(*event.Task) { return func(t *event.Task) { t.Partition = partition } }

func TestHeartbeatsOfWhatRuns(t *testing.T) {
	inBubble(t, funcs{apply: untilCancelled}, func(t *testing.T, g *rig) {
		g.pass(time.Minute)
		require.Empty(t, sent[event.Heartbeat](g, event.RunnerHeartbeat), "who does nothing has no lease to keep")
		g.offer(task(named("a"), in(1)))
		g.offer(task(named("b"), in(1)))
		g.offer(task(named("c"), in(2)))
		g.pass(time.Minute)

		count := map[string]int{}
		for _, m := range g.bus.messages() {
			if m.Type == event.TypeOf(event.RunnerHeartbeat) {
				count[m.To.Key]++
				require.True(t, m.Transient)
				require.Equal(t, 2*defaultHeartbeat, m.Expires)
			}
		}
		require.Equal(t, map[string]int{bus.Partition(1): 12, bus.Partition(2): 12}, count)
		for _, h := range sent[event.Heartbeat](g, event.RunnerHeartbeat) {
			require.Equal(t, g.runner.id, h.Runner)
			require.Len(t, h.Tasks, 3-h.Tasks[0].Partition)
		}
		require.Empty(t, g.results(), "they still run")
	}, func(o *Options) { o.Concurrency = 3 })
}

func TestTheServerSetsThePace(t *testing.T) {
	inBubble(t, funcs{apply: untilCancelled}, func(t *testing.T, g *rig) {
		g.tell(event.RunnerWelcome, event.Welcome{HeartbeatEvery: 10 * time.Second})
		g.pass(defaultHeartbeat) // the pace before ends with its timer
		g.offer(task())
		g.pass(100 * time.Second)
		require.Len(t, sent[event.Heartbeat](g, event.RunnerHeartbeat), 10)
	})
}

func TestATaskIsHeardOfUntilItsResultIsConfirmed(t *testing.T) {
	inBubble(t, funcs{}, func(t *testing.T, g *rig) {
		g.bus.refuseWith(func(m bus.Message) error {
			if m.Type == event.TypeOf(event.TaskFinished) {
				return errNoBroker
			}
			return nil
		})
		g.offer(task())
		g.pass(time.Minute)
		require.Len(t, sent[event.Heartbeat](g, event.RunnerHeartbeat), 12)
		g.bus.refuseWith(nil)
		g.pass(time.Minute)
		g.result()
		require.LessOrEqual(t, len(sent[event.Heartbeat](g, event.RunnerHeartbeat)), 13)
	})
}

func TestALostLeaseEndsTheWork(t *testing.T) {
	var ended time.Time
	x := funcs{apply: func(ctx context.Context, _ executor.Request) (executor.Outputs, error) {
		<-ctx.Done()
		ended = time.Now()
		return nil, ctx.Err()
	}}
	inBubble(t, x, func(t *testing.T, g *rig) {
		g.offer(task())
		g.pass(time.Minute)
		require.Zero(t, ended, "it is heard")
		g.bus.stall()
		lost := time.Now()
		g.pass(time.Minute)
		require.Greater(t, ended.Sub(lost), 2*defaultHeartbeat)
		require.LessOrEqual(t, ended.Sub(lost), 4*defaultHeartbeat, "before the server gives the step to somebody else")
		require.Empty(t, g.results())

		g.bus.release()
		g.pass(time.Minute)
		require.Equal(t, fault.RunnerLost, g.result().Error.Code, "the result is sent all the same")
		require.Equal(t, fault.Retry, g.result().Error.Disposition)
	})
}

func TestOnePartitionOutOfReachCostsNoOtherLease(t *testing.T) {
	inBubble(t, funcs{apply: untilCancelled}, func(t *testing.T, g *rig) {
		g.bus.refuseWith(func(m bus.Message) error {
			if m.To.Key == bus.Partition(1) && m.Type == event.TypeOf(event.RunnerHeartbeat) {
				return errNoBroker
			}
			return nil
		})
		g.offer(task(named("a"), in(1)))
		g.offer(task(named("b"), in(2)))
		g.pass(time.Minute)
		require.Equal(t, "a", g.result().Step)
		require.Equal(t, fault.RunnerLost, g.result().Error.Code)
		require.Equal(t, 1, g.runner.Status().Running)
	})
}

// TestAShortCutCostsNothing: a runner that comes back within its lease goes on with its tasks.
func TestAShortCutCostsNothing(t *testing.T) {
	gate := make(chan struct{})
	x := funcs{apply: func(ctx context.Context, r executor.Request) (executor.Outputs, error) {
		if r.Step == "ends meanwhile" {
			<-time.After(time.Minute + defaultHeartbeat)
			return nil, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-gate:
			return nil, nil
		}
	}}
	inBubble(t, x, func(t *testing.T, g *rig) {
		gate = make(chan struct{})
		g.offer(task(named("goes on")))
		g.offer(task(named("ends meanwhile")))
		g.pass(time.Minute)
		before := len(sent[event.Heartbeat](g, event.RunnerHeartbeat))
		g.bus.stall()
		g.pass(2*defaultHeartbeat + defaultHeartbeat/2)
		g.bus.release()
		g.bus.reconnect()
		g.pass(time.Minute)
		require.Greater(t, len(sent[event.Heartbeat](g, event.RunnerHeartbeat)), before+10, "it is heard again")
		require.Equal(t, "ends meanwhile", g.result().Step, "sent when the bus was back")
		require.Nil(t, g.result().Error)
		require.Equal(t, 1, g.runner.Status().Running)
		close(gate)
		g.settle()
		require.Len(t, g.results(), 2)
		require.Nil(t, g.results()[1].Error)
		require.NotContains(t, g.logged.String(), "lease")
	})
}

// TestAResultNeverOvertakesTheAcceptance: the server would take an acceptance behind the result for a new beginning.
func TestAResultNeverOvertakesTheAcceptance(t *testing.T) {
	gate := make(chan struct{})
	x := funcs{apply: func(context.Context, executor.Request) (executor.Outputs, error) {
		<-time.After(time.Second)
		return nil, nil
	}}
	inBubble(t, x, func(t *testing.T, g *rig) {
		gate = make(chan struct{})
		open := sync.OnceFunc(func() { close(gate) })
		defer open()
		g.bus.mu.Lock()
		g.bus.before = func(m bus.Message) {
			if m.Type == event.TypeOf(event.TaskAccepted) {
				<-gate
			}
		}
		g.bus.mu.Unlock()
		g.offer(task())
		g.pass(10 * time.Second)
		require.Empty(t, g.results(), "the acceptance is on its way")
		open()
		g.settle()
		g.result()
		var types []string
		for _, m := range g.bus.messages() {
			if m.Type == event.TypeOf(event.TaskAccepted) || m.Type == event.TypeOf(event.TaskFinished) {
				types = append(types, m.Type)
			}
		}
		require.Equal(t, []string{event.TypeOf(event.TaskAccepted), event.TypeOf(event.TaskFinished)}, types)
	})
}
