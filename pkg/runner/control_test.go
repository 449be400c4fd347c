package runner

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

func hellos(g *rig) []event.Hello { return sent[event.Hello](g, event.RunnerHello) }

func withoutBox(o *Options) { o.Box, o.Pools, o.Version = nil, []string{"default", "gpu"}, "1.2.3" }

// wrap is what a server does with a hello.
func wrap(g *rig, h event.Hello) []byte {
	wrapped, err := g.box.Wrap((*[32]byte)(h.PublicKey))
	require.NoError(g.t, err)
	return wrapped
}

func TestARunnerWithoutAKeyWaitsForItsWelcome(t *testing.T) {
	x := funcs{apply: func(_ context.Context, r executor.Request) (executor.Outputs, error) {
		return executor.Outputs{"in": {Value: r.Inputs}}, nil
	}}
	inBubble(t, x, func(t *testing.T, g *rig) {
		require.Equal(t, bus.Topology{Pools: []string{"default", "gpu"}}, g.bus.declared)
		require.Equal(t, []bus.Address{
			{Exchange: bus.Control, Key: "roll-call"}, {Exchange: bus.Control, Key: bus.RunnerTopic("one")}, {Exchange: bus.Control, Key: "pool.default"}, {Exchange: bus.Control, Key: "pool.gpu"},
		}, g.bus.listening)
		g.pass(4 * helloEvery)
		require.Len(t, hellos(g), 5)
		require.Nil(t, g.bus.consumer(bus.Tasks("default")))
		require.Nil(t, g.runner.Box())
		status := g.runner.Status()
		require.False(t, status.Ready)
		require.False(t, status.Welcomed)

		h, m := hellos(g)[0], g.bus.messages()[0]
		require.Equal(t, bus.Address{Key: bus.Runners}, m.To)
		require.Equal(t, "private", m.ReplyTo)
		require.NotZero(t, m.Expires, "hellos that nobody reads do not pile up")
		require.Equal(t, "one", h.Name)
		require.Equal(t, status.Runner, h.Runner)
		require.Equal(t, []string{"x"}, h.Executors)
		require.Equal(t, []string{"default", "gpu"}, h.Pools)
		require.Equal(t, "1.2.3", h.Version)

		g.tell(event.RunnerWelcome, event.Welcome{Cluster: "eu", Epoch: 4, WrappedKey: wrap(g, h)})
		status = g.runner.Status()
		require.True(t, status.Ready)
		require.True(t, status.Welcomed)
		require.Equal(t, "eu", status.Cluster)
		require.Equal(t, uint64(4), status.Epoch)
		require.NotNil(t, g.bus.consumer(bus.Tasks("gpu")))
		require.Equal(t, 2, g.bus.consumer(bus.Tasks("default")).options.Prefetch)
		g.offer(task(func(t *event.Task) { t.Inputs, t.Epoch = g.box.Seal(json.RawMessage(`"s3cret"`)), 4 }))
		require.Nil(t, g.result().Error)
	}, withoutBox)
}

func TestAWelcomeThatIsNotForThisRunner(t *testing.T) {
	inBubble(t, funcs{}, func(t *testing.T, g *rig) {
		another := hellos(g)[0]
		another.PublicKey = make([]byte, 32)
		another.PublicKey[0] = 9
		g.tell(event.RunnerWelcome, event.Welcome{WrappedKey: wrap(g, another)})
		require.False(t, g.runner.Status().Welcomed)
		require.Nil(t, g.runner.Box())
		g.pass(helloEvery)
		require.Len(t, hellos(g), 2, "it goes on asking")
	}, withoutBox)
}

func TestHelloIsSaidAgain(t *testing.T) {
	inBubble(t, funcs{}, func(t *testing.T, g *rig) {
		g.tell(event.RunnerWelcome, event.Welcome{})
		before := len(hellos(g))
		g.pass(helloAgain - helloEvery)
		require.Len(t, hellos(g), before)
		g.pass(2 * helloEvery)
		require.Len(t, hellos(g), before+1, "once a minute")
		g.bus.reconnect()
		g.pass(helloEvery)
		require.Len(t, hellos(g), before+2, "after a reconnect")
	})
}

func TestTheHighestEpochCounts(t *testing.T) {
	inBubble(t, funcs{}, func(t *testing.T, g *rig) {
		g.tell(event.RunnerWelcome, event.Welcome{Cluster: "new", Epoch: 5})
		g.tell(event.RunnerWelcome, event.Welcome{Cluster: "old", Epoch: 4, HeartbeatEvery: time.Hour})
		require.Equal(t, uint64(5), g.runner.Status().Epoch)
		require.Equal(t, "new", g.runner.Status().Cluster)
		require.Equal(t, defaultHeartbeat, g.runner.heartbeatEvery())
	})
}

func TestAKeyThatWasGivenIsKept(t *testing.T) {
	inBubble(t, funcs{}, func(t *testing.T, g *rig) {
		other := newBox(t)
		wrapped, err := other.Wrap((*[32]byte)(hellos(g)[0].PublicKey))
		require.NoError(t, err)
		g.tell(event.RunnerWelcome, event.Welcome{WrappedKey: wrapped})
		require.Same(t, g.box, g.runner.Box())
	})
}

func TestARunningTaskIsCancelled(t *testing.T) {
	inBubble(t, funcs{apply: untilCancelled}, func(t *testing.T, g *rig) {
		g.offer(task())
		for _, other := range []event.TaskRef{
			task(named("b")).TaskRef,
			task(func(t *event.Task) { t.Attempt = 2 }).TaskRef,
			task(func(t *event.Task) { t.Operation = "another" }).TaskRef,
			task(func(t *event.Task) { t.Environment = "another" }).TaskRef,
		} {
			g.tell(event.TaskCancel, event.CancelTask{TaskRef: other})
		}
		require.Empty(t, g.results())
		g.tell(event.TaskCancel, event.CancelTask{TaskRef: task().TaskRef, Reason: "ana asked for it"})
		e := g.result().Error
		require.Equal(t, fault.Cancelled, e.Code)
		require.Equal(t, fault.GiveUp, e.Disposition)
		require.Contains(t, e.Message, "ana asked for it")
	})
}

func TestWorkThatEndsWellInSpiteOfACancelHasSucceeded(t *testing.T) {
	x := funcs{apply: func(ctx context.Context, _ executor.Request) (executor.Outputs, error) {
		<-ctx.Done()
		return nil, nil
	}}
	inBubble(t, x, func(t *testing.T, g *rig) {
		g.offer(task())
		g.tell(event.TaskCancel, event.CancelTask{TaskRef: task().TaskRef})
		require.Nil(t, g.result().Error)
	})
}

func TestACancelIsRememberedForAWhile(t *testing.T) {
	inBubble(t, funcs{}, func(t *testing.T, g *rig) {
		g.tell(event.TaskCancel, event.CancelTask{TaskRef: task().TaskRef})
		g.pass(cancelMemory - time.Second)
		g.offer(task())
		require.Len(t, g.refusals(), 1)
		g.pass(2 * defaultHeartbeat)
		g.runner.mu.Lock()
		require.Empty(t, g.runner.cancelled)
		g.runner.mu.Unlock()
		g.offer(task())
		require.Nil(t, g.result().Error)
	})
}

func TestNonsenseFromAServerChangesNothing(t *testing.T) {
	inBubble(t, funcs{apply: untilCancelled}, func(t *testing.T, g *rig) {
		g.offer(task())
		old, cancel := uint64(0), encode(event.CancelTask{TaskRef: task().TaskRef})
		for _, body := range [][]byte{
			{0xff}, envelope("something", 1), envelope(event.TaskCancel, "x"), envelope(event.RunnerWelcome, 1),
			event.Envelope{SpecVersion: "1.0", ID: "a", Source: "b", Type: event.TypeOf(event.TaskCancel), Epoch: &old, Data: cancel}.Encode(),
		} {
			g.bus.hear(&bus.Message{Body: body})
			g.settle()
		}
		require.Equal(t, 1, g.runner.Status().Running)
		require.False(t, g.runner.Status().Welcomed)
	})
}
