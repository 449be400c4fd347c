package runner

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// printing is an executor that only prints.
func printing(f func(log func(stream, line string))) funcs {
	return funcs{apply: func(_ context.Context, r executor.Request) (executor.Outputs, error) {
		f(r.Log)
		return nil, nil
	}}
}

// lines are the texts of all lines that were sent, whose numbers have to be without a gap.
func (g *rig) lines() []string {
	var all []string
	for _, batch := range sent[event.Logs](g, event.TaskLogs) {
		require.Equal(g.t, len(all), batch.First)
		for _, one := range batch.Lines {
			all = append(all, one.Text)
		}
	}
	return all
}

// secretly offers a task whose input is the secret hunter2.
func (g *rig) secretly() {
	g.offer(task(func(t *event.Task) { t.Inputs = g.box.Seal(json.RawMessage(`"hunter2"`)) }))
}

func TestLinesAreMaskedAlsoWhereTheyWereCut(t *testing.T) {
	for name, c := range map[string]struct{ printed, want []string }{
		"within":            {[]string{"a hunter2 b"}, []string{"a (sensitive) b"}},
		"over two":          {[]string{"a hun", "ter2 b"}, []string{"a (sensitive)", "(sensitive) b"}},
		"byte by byte":      {strings.Split("xhunter2y", ""), []string{"x", "(sensitive)", "(sensitive)", "(sensitive)", "(sensitive)", "(sensitive)", "(sensitive)", "(sensitive)", "y"}},
		"looked like it":    {[]string{"a hunt", "ing b"}, []string{"a hunt", "ing b"}},
		"at the end":        {[]string{"a hunter"}, []string{"a (sensitive)"}},
		"a little of it":    {[]string{"a hun"}, []string{"a hun"}},
		"breaks within":     {[]string{"a hun\r\nter2\nb\n"}, []string{"a (sensitive)", "(sensitive)", "b"}},
		"progress":          {[]string{"10%\r20%\r\n"}, []string{"10%", "20%"}},
		"empty lines":       {[]string{"hun", "", "ter2"}, []string{"(sensitive)", "", "(sensitive)"}},
		"cut in a sequence": {[]string{"hun\x1b[3", "1mter2"}, []string{"(sensitive)", "(sensitive)"}},
	} {
		t.Run(name, func(t *testing.T) {
			x := printing(func(log func(stream, line string)) {
				for _, line := range c.printed {
					log("out", line)
				}
			})
			inBubble(t, x, func(t *testing.T, g *rig) {
				g.secretly()
				require.Equal(t, c.want, g.lines())
			})
		})
	}
}

func TestStreamsAreMaskedEachForItself(t *testing.T) {
	x := printing(func(log func(stream, line string)) {
		log("out", "a hun")
		log("err", "between")
		log("out", "ter2 b")
		log("elsewhere", "counts as out")
	})
	inBubble(t, x, func(t *testing.T, g *rig) {
		g.secretly()
		require.Equal(t, []string{"a (sensitive)", "between", "(sensitive) b", "counts as out"}, g.lines())
		batch := sent[event.Logs](g, event.TaskLogs)[0]
		require.Equal(t, task().TaskRef, batch.TaskRef)
		require.Equal(t, "err", batch.Lines[1].Stream)
		require.Equal(t, "out", batch.Lines[3].Stream)
	})
}

func TestWhatMayBeASecretIsHeldBackForAWhile(t *testing.T) {
	x := printing(func(log func(stream, line string)) {
		log("out", "go on? hunte")
		<-time.After(time.Second)
		log("out", "r2 yes")
	})
	inBubble(t, x, func(t *testing.T, g *rig) {
		g.secretly()
		g.pass(holdFor - batchAfter)
		require.Empty(t, g.lines())
		g.pass(2 * batchAfter)
		require.Equal(t, []string{"go on? (sensitive)"}, g.lines())
		g.pass(time.Second)
		require.Equal(t, []string{"go on? (sensitive)", "(sensitive) yes"}, g.lines())
	})
}

func TestErrorsAreMasked(t *testing.T) {
	x := funcs{apply: func(context.Context, executor.Request) (executor.Outputs, error) {
		return nil, fault.Wrap(fmt.Errorf("cause: hunter2"), fault.GiveUp, fault.ExecutorFailed, "login with hunter2 failed")
	}}
	inBubble(t, x, func(t *testing.T, g *rig) {
		g.secretly()
		require.Equal(t, "login with (sensitive) failed", g.result().Error.Message)
		require.NotContains(t, g.logged.String(), "hunter2")
	})
}

func TestAPanicWithASecretIsMasked(t *testing.T) {
	x := funcs{apply: func(context.Context, executor.Request) (executor.Outputs, error) { panic("with hunter2") }}
	inBubble(t, x, func(t *testing.T, g *rig) {
		g.secretly()
		require.Contains(t, g.logged.String(), "with (sensitive)")
		require.NotContains(t, g.logged.String(), "hunter2")
	})
}

func TestLinesAreBatched(t *testing.T) {
	gate := make(chan struct{})
	x := printing(func(log func(stream, line string)) {
		for i := range batchLines + 1 {
			log("out", fmt.Sprint(i))
		}
		<-gate
	})
	inBubble(t, x, func(t *testing.T, g *rig) {
		gate = make(chan struct{})
		g.offer(task())
		batches := sent[event.Logs](g, event.TaskLogs)
		require.NotEmpty(t, batches, "a full batch does not wait")
		require.Len(t, batches[0].Lines, batchLines)
		g.pass(batchAfter)
		require.Len(t, g.lines(), batchLines+1)
		require.Equal(t, bus.Address{Key: bus.Logs}, g.first(event.TaskLogs).To)
		close(gate)
		g.settle()
		g.result()
	})
}

func TestLongLinesAndLargeBatches(t *testing.T) {
	x := printing(func(log func(stream, line string)) {
		log("out", strings.Repeat("é", lineBytes))
		for range 20 {
			log("out", strings.Repeat("x", lineBytes))
		}
	})
	inBubble(t, x, func(t *testing.T, g *rig) {
		g.offer(task())
		lines := g.lines()
		require.Len(t, lines, 21)
		require.Equal(t, strings.Repeat("é", lineBytes/2)+" (cut: 16384 more bytes)", lines[0])
		for _, m := range g.bus.messages() {
			require.Less(t, len(m.Body), batchBytes+2*lineBytes+1024)
		}
	})
}

func TestLinesComeBeforeTheResult(t *testing.T) {
	inBubble(t, printing(func(log func(stream, line string)) { log("out", "a") }), func(t *testing.T, g *rig) {
		g.offer(task())
		var types []string
		for _, m := range g.bus.messages() {
			if strings.HasPrefix(m.Type, event.TypePrefix+"task.") {
				types = append(types, m.Type)
			}
		}
		require.Equal(t, []string{event.TypeOf(event.TaskLogs), event.TypeOf(event.TaskFinished)}, types)
	})
}

func TestLogsThatNobodyTakesDoNotHoldUpTheResult(t *testing.T) {
	inBubble(t, printing(func(log func(stream, line string)) { log("out", "a") }), func(t *testing.T, g *rig) {
		g.bus.refuseWith(func(m bus.Message) error {
			if m.Type == event.TypeOf(event.TaskLogs) {
				return errNoBroker
			}
			return nil
		})
		g.offer(task())
		g.pass(flushWithin - time.Millisecond)
		require.Empty(t, g.results())
		g.pass(time.Millisecond)
		g.result()
	})
}

func TestLinesBeyondTheBoundAreDroppedAndCounted(t *testing.T) {
	const more = 5
	gate := make(chan struct{})
	x := printing(func(log func(stream, line string)) {
		log("out", "taken before the others")
		<-time.After(time.Second)
		for i := range pendingLines + more {
			log("out", fmt.Sprint(i))
		}
		<-gate
		log("out", "last")
	})
	inBubble(t, x, func(t *testing.T, g *rig) {
		gate = make(chan struct{})
		g.bus.refuseWith(func(bus.Message) error { return errNoBroker })
		g.offer(task())
		g.pass(2 * time.Second)
		require.Empty(t, g.lines())
		g.bus.refuseWith(nil)
		g.pass(time.Minute)
		require.Len(t, g.lines(), pendingLines+1)
		close(gate)
		g.settle()
		require.Equal(t, []string{
			fmt.Sprint(pendingLines - 1), fmt.Sprintf("(%d lines are missing here: the bus did not take them in time)", more), "last",
		}, g.lines()[pendingLines:])
	})
}

func TestLinesAfterTheEndAreNotTaken(t *testing.T) {
	var late func(stream, line string)
	x := printing(func(log func(stream, line string)) { late = log; log("out", "a") })
	inBubble(t, x, func(t *testing.T, g *rig) {
		g.offer(task())
		late("out", "b")
		g.pass(time.Second)
		require.Equal(t, []string{"a"}, g.lines())
	})
}

// TestAbsurdOutput is 10 MB in one line, what is no UTF-8, and what a terminal would obey.
func TestAbsurdOutput(t *testing.T) {
	const size = 10 << 20
	x := printing(func(log func(stream, line string)) {
		log("out", "hunter2"+strings.Repeat("x", size))
		log("err", "\xff\xfe\x00\x1b]0;title\x07\x1b[2J\x1b[31mred\x1b[0m\u202e")
		log("out", strings.Repeat("\xff", size))
		log("out", "after")
	})
	inBubble(t, x, func(t *testing.T, g *rig) {
		g.secretly()
		lines := g.lines()
		require.Len(t, lines, 4)
		require.True(t, strings.HasPrefix(lines[0], "(sensitive)xxx"), lines[0][:20])
		require.Regexp(t, `x \(cut: 104[0-9]{5} more bytes\)$`, lines[0])
		require.Equal(t, "\ufffd\ufffdred", lines[1])
		require.True(t, utf8.ValidString(lines[2]))
		require.Equal(t, "after", lines[3])
		for _, m := range g.bus.messages() {
			require.Less(t, len(m.Body), 2*batchBytes)
		}
		require.Nil(t, g.result().Error)
	})
}
