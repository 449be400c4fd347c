package runner

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// talker is an executor whose resources print.
type talker struct {
	funcs
	follow func(ctx context.Context, r executor.Request, since time.Time, line func(time.Time, string, string)) error
}

func (f *talker) Follow(ctx context.Context, r executor.Request, since time.Time, line func(time.Time, string, string)) error {
	return f.follow(ctx, r, since, line)
}

func withTalker(f *talker) func(*Options) {
	f.name = "talker"
	return func(o *Options) { o.Executors = append(o.Executors, f) }
}

func (g *rig) followed(since time.Time) event.Watch {
	return event.Watch{Environment: "notes", Operation: "op-1", Step: "notes.x.a", Follow: true, Since: since, Executor: "talker",
		Inputs: json.RawMessage(`{"password":` + string(g.box.Seal(json.RawMessage(`"hunter2!"`))) + `}`)}
}

// printed are the lines of attempt 0 by number, whose numbers have to grow.
func (g *rig) printed() (lines []event.LogLine) {
	next := 0
	for _, b := range sent[event.Logs](g, event.TaskLogs) {
		require.Equal(g.t, event.TaskRef{Environment: "notes", Operation: "op-1", Step: "notes.x.a", Partition: 3, Epoch: 1}, b.TaskRef)
		require.GreaterOrEqual(g.t, b.First, next)
		next = b.First + len(b.Lines)
		lines = append(lines, b.Lines...)
	}
	return lines
}

func textsOf(lines []event.LogLine) (all []string) {
	for _, l := range lines {
		all = append(all, l.Text)
	}
	return all
}

func TestWhatAResourcePrintsIsFollowed(t *testing.T) {
	f := &talker{}
	inBubble(t, funcs{}, func(t *testing.T, g *rig) {
		require.Equal(t, []string{"talker"}, g.runner.alive().Follows)
		begin := time.Now().UTC().Add(-time.Hour)
		var asked []time.Time
		f.follow = func(ctx context.Context, r executor.Request, since time.Time, line func(time.Time, string, string)) error {
			require.JSONEq(t, `{"password":"hunter2!"}`, string(r.Inputs))
			asked = append(asked, since)
			n := len(asked)
			line(since.Add(time.Minute), "err", fmt.Sprint("line hunter2! ", n))
			if n < 3 {
				return fault.New(fault.Wait, fault.Unavailable, "gone with hunter2!")
			}
			<-ctx.Done()
			return nil
		}
		g.keep(time.Minute, g.followed(begin))
		lines := g.printed()
		require.Equal(t, []string{"line (sensitive) 1", "line (sensitive) 2", "line (sensitive) 3"}, textsOf(lines))
		require.Equal(t, begin.Add(time.Minute), lines[0].Time, "when it was printed")
		require.Equal(t, "err", lines[0].Stream)
		require.Equal(t, []time.Time{begin, begin.Add(time.Minute + 1), begin.Add(2*time.Minute + 2)}, asked, "it goes on behind the last line")
		require.NotContains(t, g.logged.String(), "hunter2!")
		g.lease()
		g.pass(time.Minute)
		g.lease(g.followed(begin)) // and its numbers are higher than all before
		g.pass(time.Second)
		require.Len(t, g.printed(), 4)
	}, withTalker(f))
}

func TestAChattyResourceIsCutShort(t *testing.T) {
	f := &talker{}
	inBubble(t, funcs{}, func(t *testing.T, g *rig) {
		f.follow = func(ctx context.Context, _ executor.Request, _ time.Time, line func(time.Time, string, string)) error {
			for i := range 10 * followLines {
				line(time.Now(), "out", fmt.Sprint(i))
			}
			<-time.After(2 * followWindow)
			line(time.Now(), "out", "calm")
			<-ctx.Done()
			return nil
		}
		g.lease(g.followed(time.Time{}))
		g.pass(time.Second)
		require.Len(t, g.printed(), followLines)
		g.keep(followWindow, g.followed(time.Time{}))
		g.pass(time.Second)
		lines := g.printed()
		require.Len(t, lines, followLines+1, "it is told although nothing more has come")
		require.Contains(t, lines[followLines].Text, fmt.Sprintf("(%d lines are left out", 9*followLines))
		g.keep(2*followWindow, g.followed(time.Time{}))
		g.pass(time.Second)
		lines = g.printed()
		require.Equal(t, []string{"calm"}, textsOf(lines[followLines+1:]))
	}, withTalker(f))
}

func TestAPanicOfAFollowerIsNotTheRunnersEnd(t *testing.T) {
	f := &talker{}
	inBubble(t, funcs{}, func(t *testing.T, g *rig) {
		n := 0
		f.follow = func(context.Context, executor.Request, time.Time, func(time.Time, string, string)) error {
			n++
			panic("never thought of")
		}
		g.keep(time.Minute, g.followed(time.Time{}))
		require.Greater(t, n, 3, "it is tried again")
		require.Empty(t, g.printed())
	}, withTalker(f))
}
