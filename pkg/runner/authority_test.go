package runner

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

func (g *rig) word(w event.Authority) { g.tell(event.ClusterAuthority, w) }

func TestWorkStopsWhenNobodySaysThatItMayGoOn(t *testing.T) {
	inBubble(t, funcs{apply: untilCancelled}, func(t *testing.T, g *rig) {
		g.offer(task(named("a")))
		heard := time.Now()
		g.pass(3 * time.Second)
		g.word(event.Authority{Epoch: 1, Left: 10 * time.Second, Heard: map[string]time.Time{g.runner.id: heard}})
		g.pass(5 * time.Second)
		require.Empty(t, g.results(), "it may still work")
		g.pass(5 * time.Second)
		require.Len(t, g.results(), 1, "the bound counts from what the server had heard, however long its word was under way")
		require.Equal(t, fault.RunnerLost, g.results()[0].Error.Code)

		g.offer(task(named("b")))
		require.Equal(t, fault.AuthorityLost, sent[event.Refused](g, event.TaskRefused)[0].Code)
		g.word(event.Authority{Epoch: 1, Unbounded: true})
		g.offer(task(named("c")))
		g.pass(time.Minute)
		require.Len(t, g.results(), 1, "nobody else is there, so it works")
	})
}

func TestWorkStopsAtOnceWhereTheSideMayNotAct(t *testing.T) {
	inBubble(t, funcs{apply: untilCancelled}, func(t *testing.T, g *rig) {
		g.offer(task(named("a")))
		g.word(event.Authority{Epoch: 1})
		require.Len(t, g.results(), 1)
	})
}

func TestWorkOfAnOlderEpochStops(t *testing.T) {
	inBubble(t, funcs{apply: untilCancelled}, func(t *testing.T, g *rig) {
		g.offer(task(named("a"), func(t *event.Task) { t.Epoch = 1 }))
		g.word(event.Authority{Epoch: 2, Unbounded: true})
		require.Len(t, g.results(), 1)
		g.word(event.Authority{Epoch: 1}) // of the side that was lost
		g.offer(task(named("b"), func(t *event.Task) { t.Epoch = 2 }))
		g.pass(time.Minute)
		require.Len(t, g.results(), 1)
	})
}
