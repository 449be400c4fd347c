package runner

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
)

// told is the progress in all heartbeats so far, one entry a heartbeat.
func told(g *rig) [][]event.TaskProgress {
	var all [][]event.TaskProgress
	for _, h := range sent[event.Heartbeat](g, event.RunnerHeartbeat) {
		all = append(all, h.Progress)
	}
	return all
}

func TestHeartbeatsTellProgressThatIsNew(t *testing.T) {
	tell := map[string]func(event.Progress){}
	x := funcs{apply: func(ctx context.Context, r executor.Request) (executor.Outputs, error) {
		tell[r.Step] = r.Progress
		return untilCancelled(ctx, r)
	}}
	inBubble(t, x, func(t *testing.T, g *rig) {
		g.offer(task(named("a")))
		g.offer(task(named("b")))
		g.pass(defaultHeartbeat)
		require.Equal(t, [][]event.TaskProgress{nil}, told(g), "nothing was said")
		tell["a"](event.Progress{Message: "first"})
		tell["a"](event.Progress{Message: "second", Done: 1, Total: 3})
		g.pass(defaultHeartbeat)
		a := event.TaskProgress{TaskRef: task(named("a")).TaskRef, Progress: event.Progress{Message: "second", Done: 1, Total: 3}}
		require.Equal(t, []event.TaskProgress{a}, told(g)[1], "only the latest, and only of those that say anything")
		tell["a"](event.Progress{Message: "second", Done: 1, Total: 3})
		g.pass(defaultHeartbeat)
		require.Empty(t, told(g)[2], "it is known")
		tell["b"](event.Progress{Done: 1})
		g.pass(defaultHeartbeat)
		require.Equal(t, "b", told(g)[3][0].Step)
	})
}

func TestProgressThatMayNotHaveArrivedIsToldAgain(t *testing.T) {
	x := funcs{apply: func(ctx context.Context, r executor.Request) (executor.Outputs, error) {
		r.Progress(event.Progress{Message: "half"})
		return untilCancelled(ctx, r)
	}}
	inBubble(t, x, func(t *testing.T, g *rig) {
		g.bus.refuseWith(func(bus.Message) error { return errNoBroker })
		g.offer(task())
		g.pass(2 * defaultHeartbeat)
		g.bus.mu.Lock()
		g.bus.sent = nil // whatever the broker had of it is gone
		g.bus.mu.Unlock()
		g.bus.refuseWith(nil)
		g.pass(defaultHeartbeat)
		require.Equal(t, "half", told(g)[0][0].Message)
	})
}

func TestProgressIsCleanedMaskedAndBounded(t *testing.T) {
	x := funcs{apply: func(ctx context.Context, r executor.Request) (executor.Outputs, error) {
		r.Progress(event.Progress{Message: "\x1b[31mhun\x1b[0mter2 \xff" + strings.Repeat("é", 10<<20), Done: -1, Total: -7})
		return untilCancelled(ctx, r)
	}}
	inBubble(t, x, func(t *testing.T, g *rig) {
		g.offer(task(func(t *event.Task) { t.Inputs = g.box.Seal(json.RawMessage(`"hunter2"`)) }))
		g.pass(defaultHeartbeat)
		p := told(g)[0][0].Progress
		require.True(t, strings.HasPrefix(p.Message, "(sensitive) \ufffdé"), p.Message)
		require.LessOrEqual(t, len(p.Message), progressBytes)
		require.Zero(t, p.Done)
		require.Zero(t, p.Total)
	})
}
