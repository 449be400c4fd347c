package runner

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
)

func alive(g *rig) []event.Alive { return sent[event.Alive](g, event.RunnerAlive) }

func TestARunnerSaysThatItIsThere(t *testing.T) {
	inBubble(t, funcs{apply: untilCancelled}, func(t *testing.T, g *rig) {
		require.Len(t, alive(g), 1, "from the start on")
		require.Equal(t, event.Alive{
			Name: "one", Runner: g.runner.id, Pools: []string{"default"}, Executors: []string{"x"}, Probes: []string{"status"},
			Labels: []string{"arch:arm64", "gpu"}, Concurrency: 2, Version: "1.2.3", Time: alive(g)[0].Time,
		}, alive(g)[0])
		m := g.first(event.RunnerAlive)
		require.Equal(t, bus.Address{Exchange: bus.Control, Key: "runners"}, m.To)
		require.True(t, m.Transient)
		require.Equal(t, 2*aliveEvery, m.Expires)

		g.offer(task())
		g.pass(10 * aliveEvery)
		require.Len(t, alive(g), 11)
		require.Equal(t, 1, alive(g)[10].Running)
	}, func(o *Options) { o.Labels, o.Version = []string{"arch:arm64", "gpu"}, "1.2.3" })
}

func TestARunnerThatTakesNoTasksIsNotThereYet(t *testing.T) {
	inBubble(t, funcs{}, func(t *testing.T, g *rig) {
		g.pass(5 * aliveEvery)
		g.tell(event.RunnerRollCall, struct{}{})
		require.Empty(t, alive(g), "it could not open a secret")
		g.tell(event.RunnerWelcome, event.Welcome{WrappedKey: wrap(g, hellos(g)[0])})
		require.Len(t, alive(g), 1, "at once")
		require.Equal(t, []string{"default", "gpu"}, alive(g)[0].Pools)
	}, withoutBox)
}

func TestARollCallIsAnsweredAtOnce(t *testing.T) {
	inBubble(t, funcs{}, func(t *testing.T, g *rig) {
		g.pass(aliveEvery / 2)
		before := len(alive(g))
		g.tell(event.RunnerRollCall, struct{}{})
		require.Len(t, alive(g), before+1)
	})
}

func TestLeavingIsSaidAtTheBeginningOfStop(t *testing.T) {
	x := funcs{apply: func(context.Context, executor.Request) (executor.Outputs, error) {
		<-time.After(time.Minute)
		return nil, nil
	}}
	inBubble(t, x, func(t *testing.T, g *rig) {
		g.offer(task())
		before := len(alive(g))
		stopped := make(chan error, 1)
		go func() { stopped <- g.stop(time.Hour) }()
		g.settle()
		atOnce := alive(g)[before:]
		require.NoError(t, <-stopped)
		require.Len(t, atOnce, 1)
		require.Equal(t, 1, atOnce[0].Running)
		for _, a := range alive(g)[before:] {
			require.True(t, a.Leaving)
		}
		require.Greater(t, len(alive(g)), before+20, "it is there until its tasks are over")
	})
}

func TestAStopWithNothingToDoSaysLeavingToo(t *testing.T) {
	inBubble(t, funcs{}, func(t *testing.T, g *rig) {
		require.NoError(t, g.stop(time.Minute))
		all := alive(g)
		require.True(t, all[len(all)-1].Leaving)
	})
}

func TestABrokerThatDoesNotConfirmCostsOneMessageAtATime(t *testing.T) {
	inBubble(t, funcs{}, func(t *testing.T, g *rig) {
		said := 0
		g.bus.refuseWith(func(m bus.Message) error {
			if m.Type == event.TypeOf(event.RunnerAlive) {
				said++
			}
			return nil
		})
		g.bus.stall()
		g.pass(10 * aliveEvery)
		require.LessOrEqual(t, said, 11, "none is repeated")
		g.bus.release()
		before := len(alive(g))
		g.pass(2 * aliveEvery)
		require.Greater(t, len(alive(g)), before)
	})
}
