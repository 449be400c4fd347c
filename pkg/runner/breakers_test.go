package runner

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/resilience"
)

// remote is an executor whose target is the environment of the task, and which fails as it is told.
type remote struct {
	fails error
	runs  int
	gate  chan struct{} // when not nil, work waits for it
}

func (x *remote) options(o *Options) {
	o.Executors = []executor.Executor{aimed{
		funcs: funcs{name: "x", apply: func(ctx context.Context, r executor.Request) (executor.Outputs, error) {
			x.runs++
			if x.gate != nil {
				<-x.gate
			}
			if r.Step == "late" {
				<-ctx.Done()
			}
			return nil, x.fails
		}},
		target: func(r executor.Request) string {
			if r.Environment == "nowhere" {
				return ""
			}
			return r.Environment + ".example.test"
		},
	}}
	o.Breaker = resilience.BreakerPolicy{Failures: 3, CoolDown: time.Minute}
	o.Concurrency = 10
}

// last is the result of one more task; each has a step of its own.
func (g *rig) last(changes ...func(*event.Task)) event.Result {
	n := len(g.results())
	g.offer(task(append([]func(*event.Task){named(fmt.Sprint("step", n))}, changes...)...))
	all := g.results()
	require.Len(g.t, all, n+1)
	return all[n]
}

func of(environment string) func(*event.Task) {
	return func(t *event.Task) { t.Environment = environment }
}

func away() error {
	return fault.New(fault.Wait, "sealed", "the vault is sealed")
}

func TestABreakerHoldsTasksBack(t *testing.T) {
	x := &remote{fails: away()}
	inBubble(t, funcs{}, func(t *testing.T, g *rig) {
		g.pass(time.Second)
		for range 3 {
			require.Equal(t, fault.Code("sealed"), g.last().Error.Code)
		}
		opened := time.Now()
		announced := alive(g)
		require.Equal(t, []event.Breaker{{
			Executor: "x", Target: "notes.example.test", Until: opened.Add(time.Minute).UTC(), Error: "the vault is sealed",
		}}, announced[len(announced)-1].Breakers, "at once")
		require.Contains(t, g.logged.String(), "notes.example.test")

		g.pass(10 * time.Second)
		r := g.last()
		require.Equal(t, 3, x.runs, "it is not run")
		require.Equal(t, fault.BreakerOpen, r.Error.Code)
		require.Equal(t, fault.Wait, r.Error.Disposition)
		require.Equal(t, opened.Add(time.Minute).UTC(), *r.NotBefore)
		for _, part := range []string{"notes.example.test", opened.UTC().Format(time.RFC3339), "the vault is sealed", "reached from the runner"} {
			require.Contains(t, r.Error.Message, part)
		}
		require.Equal(t, fault.Code("sealed"), g.last(of("other")).Error.Code, "another target")
		require.Equal(t, fault.Code("sealed"), g.last(of("nowhere")).Error.Code, "no target")
		require.Equal(t, fault.BreakerOpen, g.last(func(t *event.Task) { t.Verb = event.Destruct }).Error.Code)

		g.pass(50 * time.Second)
		x.fails = nil
		require.Nil(t, g.last().Error)
		require.Nil(t, g.last().Error)
		announced = alive(g)
		require.Empty(t, announced[len(announced)-1].Breakers, "closed, and said at once")
	}, x.options)
}

func TestHalfOpenOneTaskIsLetThrough(t *testing.T) {
	x := &remote{fails: away()}
	inBubble(t, funcs{}, func(t *testing.T, g *rig) {
		for range 3 {
			g.last()
		}
		g.pass(time.Minute)
		x.gate = make(chan struct{})
		for i := range 5 {
			g.offer(task(named(fmt.Sprint("probe", i))))
		}
		require.Equal(t, 4, x.runs)
		all := g.results()
		require.Len(t, all, 7, "the others are held back at once")
		for _, r := range all[3:] {
			require.Equal(t, fault.BreakerOpen, r.Error.Code)
			require.Equal(t, time.Now().Add(time.Minute).UTC(), *r.NotBefore)
		}
		close(x.gate)
		g.settle()
		require.Equal(t, fault.BreakerOpen, g.last().Error.Code, "it failed again")
	}, x.options)
}

func TestWhatCountsAgainstATarget(t *testing.T) {
	for name, c := range map[string]struct {
		err   error
		opens bool
	}{
		"wait":             {away(), true},
		"unavailable":      {fault.New(fault.Retry, fault.Unavailable, "no answer"), true},
		"failed":           {fault.New(fault.Retry, fault.ExecutorFailed, "exit code 1"), false},
		"refused":          {fault.New(fault.GiveUp, fault.NotFound, "no such thing"), false},
		"its own timeout":  {fault.New(fault.Retry, fault.Timeout, "too long"), false},
		"any other error":  {context.Canceled, false},
		"another breaker":  {fault.New(fault.Wait, fault.BreakerOpen, "within"), false},
		"nothing":          {nil, false},
		"unknown, waiting": {fault.New(fault.Wait, fault.Internal, "x"), true},
	} {
		t.Run(name, func(t *testing.T) {
			x := &remote{fails: c.err}
			inBubble(t, funcs{}, func(t *testing.T, g *rig) {
				for range 10 {
					g.last()
				}
				require.Equal(t, map[bool]int{true: 3, false: 10}[c.opens], x.runs)
			}, x.options)
		})
	}
}

func TestAnAnswerInBetweenForgetsFailures(t *testing.T) {
	x := &remote{}
	inBubble(t, funcs{}, func(t *testing.T, g *rig) {
		for i := range 12 {
			x.fails = away()
			if i%3 == 2 {
				x.fails = fault.New(fault.GiveUp, fault.Invalid, "it said no")
			}
			g.last()
		}
		require.Equal(t, 12, x.runs)
	}, x.options)
}

func TestWhatEndsByItsContextIsNoNewsOfTheTarget(t *testing.T) {
	x := &remote{fails: away()}
	inBubble(t, funcs{}, func(t *testing.T, g *rig) {
		for range 10 {
			g.offer(task(named("late"), func(t *event.Task) { t.Timeout = time.Second }))
			g.pass(time.Second)
		}
		require.Equal(t, 10, x.runs)
		require.Equal(t, fault.Timeout, g.results()[9].Error.Code)
	}, x.options)
}

func TestAPanicIsNoNewsOfTheTarget(t *testing.T) {
	x := &remote{}
	inBubble(t, funcs{}, func(t *testing.T, g *rig) {
		for range 5 {
			require.Equal(t, fault.Internal, g.last().Error.Code)
		}
	}, x.options, func(o *Options) {
		o.Executors = []executor.Executor{aimed{funcs: funcs{name: "x"}, target: func(executor.Request) string { panic("oh no") }}}
	})
}

func TestATargetShowsNoSecretAndNoEnd(t *testing.T) {
	inBubble(t, funcs{}, func(t *testing.T, g *rig) {
		g.secretly()
		last := alive(g)[len(alive(g))-1]
		require.Len(t, last.Breakers, 1)
		require.True(t, strings.HasPrefix(last.Breakers[0].Target, "(sensitive)\ufffd.example.test"), last.Breakers[0].Target)
		require.Len(t, last.Breakers[0].Target, targetBytes)
		require.Equal(t, "no answer from (sensitive)", last.Breakers[0].Error)
		require.NotContains(t, g.logged.String(), "hunter2")
	}, func(o *Options) {
		o.Breaker.Failures = 1
		o.Executors = []executor.Executor{aimed{
			funcs: funcs{name: "x", apply: func(context.Context, executor.Request) (executor.Outputs, error) {
				return nil, fault.New(fault.Wait, fault.Unavailable, "no answer from hunter2")
			}},
			target: func(executor.Request) string { return "\x1b[31mhunter2\xff.example.test" + strings.Repeat("x", 1<<20) },
		}}
	})
}
