package runner

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/bundle"
	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/secret"
)

func TestApply(t *testing.T) {
	box := newBox(t)
	var got executor.Request
	x := funcs{apply: func(_ context.Context, r executor.Request) (executor.Outputs, error) {
		got = r
		return executor.Outputs{
			"id":       {Value: json.RawMessage(`"net-1"`)},
			"password": {Value: json.RawMessage(`"fresh"`), Sensitive: true},
			"url":      {Value: json.RawMessage(`{"u":"db://hunter2@x"}`)},
		}, nil
	}}
	inBubble(t, x, func(t *testing.T, g *rig) {
		inputs := encode(map[string]json.RawMessage{"a": json.RawMessage(`1`), "p": box.Seal(json.RawMessage(`"hunter2"`))})
		d := g.offer(task(func(t *event.Task) { t.Inputs, t.Outputs = inputs, box.Seal(json.RawMessage(`{"o":"older-secret"}`)) }))

		require.Equal(t, []string{"ack"}, d.fates())
		require.JSONEq(t, `{"a":1,"p":"hunter2"}`, string(got.Inputs))
		require.JSONEq(t, `{"o":"older-secret"}`, string(got.Outputs))
		require.ElementsMatch(t, []string{"hunter2", "older-secret"}, got.Secrets)
		require.Equal(t, task().TaskRef, got.TaskRef)
		require.DirExists(t, got.WorkDir)

		r := g.result()
		require.Nil(t, r.Error)
		require.Equal(t, task().TaskRef, r.TaskRef)
		require.Equal(t, g.runner.Status().Runner, r.Runner)
		require.NotContains(t, string(r.Outputs), "fresh")
		require.NotContains(t, string(r.Outputs), "hunter2", "an output that holds a secret input is sealed too")
		open, _, err := box.Open(r.Outputs)
		require.NoError(t, err)
		require.JSONEq(t, `{"id":"net-1","password":"fresh","url":{"u":"db://hunter2@x"}}`, string(open))
		require.JSONEq(t, `{"id":"net-1","password":"(sensitive)","url":"(sensitive)"}`, string(secret.Show(r.Outputs)))
	}, func(o *Options) { o.Box = box })
}

func TestTheEndOfATask(t *testing.T) {
	destroy := func(task *event.Task) { task.Verb = event.Destruct }
	found := func(p event.Presence, err error) func(context.Context, executor.Request) (event.Presence, error) {
		return func(context.Context, executor.Request) (event.Presence, error) { return p, err }
	}
	applied := func(o executor.Outputs, err error) funcs {
		return funcs{apply: func(context.Context, executor.Request) (executor.Outputs, error) { return o, err }}
	}
	for name, c := range map[string]struct {
		x      funcs
		change func(*event.Task)
		code   fault.Code
		want   fault.Disposition
	}{
		"nothing to do":      {},
		"its own error":      {x: applied(nil, fault.New(fault.Wait, "sealed", "vault is sealed")), code: "sealed", want: fault.Wait},
		"any error":          {x: applied(nil, errors.New("exit 1")), code: fault.Internal, want: fault.Retry},
		"output is no JSON":  {x: applied(executor.Outputs{"a": {Value: json.RawMessage(`{`)}}, nil), code: fault.Internal, want: fault.GiveUp},
		"panic":              {x: funcs{apply: func(context.Context, executor.Request) (executor.Outputs, error) { panic("oh no") }}, code: fault.Internal, want: fault.GiveUp},
		"timeout":            {x: funcs{apply: untilCancelled}, change: func(t *event.Task) { t.Timeout = time.Second }, code: fault.Timeout, want: fault.Retry},
		"unknown verb":       {change: func(t *event.Task) { t.Verb = "dance" }, code: fault.Invalid, want: fault.GiveUp},
		"environment a path": {change: func(t *event.Task) { t.Environment = "../x" }, code: fault.InvalidName, want: fault.Reject},
		"another's secret":   {change: func(task *event.Task) { task.Inputs = newBox(t).Seal(json.RawMessage(`1`)) }, code: fault.SecretUnavailable, want: fault.GiveUp},
		"no bundle":          {change: func(t *event.Task) { t.Bundle = &event.Bundle{Hash: "x"} }, code: fault.Invalid, want: fault.Reject},
		"no endpoint":        {change: func(t *event.Task) { t.Verb = event.Validate }, code: fault.Invalid, want: fault.Reject},
		"destroyed":          {change: destroy, x: funcs{observe: found(event.Absent, nil)}},
		"can't be told":      {change: destroy, x: funcs{observe: found(event.PresenceUnknown, nil)}, code: fault.OrphanSuspected, want: fault.GiveUp},
		"orphan":             {change: destroy, x: funcs{observe: found(event.Present, nil)}, code: fault.OrphanSuspected, want: fault.GiveUp},
		"says nothing":       {change: destroy, x: funcs{observe: found("", nil)}, code: fault.OrphanSuspected, want: fault.GiveUp},
		"can't look":         {change: destroy, x: funcs{observe: found("", errors.New("x"))}, code: fault.Internal, want: fault.Retry},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, c.x, func(t *testing.T, g *rig) {
				offered := task()
				if c.change != nil {
					c.change(&offered)
				}
				g.offer(offered)
				g.pass(time.Second)
				r := g.result()
				require.Zero(t, g.runner.Status().Running)
				if c.code == "" {
					require.Nil(t, r.Error)
					return
				}
				require.NotNil(t, r.Error)
				require.Equal(t, c.code, r.Error.Code)
				require.Equal(t, c.want, r.Error.Disposition)
				require.Nil(t, r.Outputs)
			})
		})
	}
}

func TestAPanicIsInTheLogAlone(t *testing.T) {
	x := funcs{apply: func(context.Context, executor.Request) (executor.Outputs, error) { panic("oh no") }}
	inBubble(t, x, func(t *testing.T, g *rig) {
		g.offer(task())
		require.NotContains(t, g.result().Error.Message, "oh no")
		require.Contains(t, g.logged.String(), "oh no")
		require.Contains(t, g.logged.String(), "run_test.go")
	})
}

func TestAcceptance(t *testing.T) {
	x := funcs{apply: func(ctx context.Context, r executor.Request) (executor.Outputs, error) {
		if r.Step == "slow" {
			<-time.After(time.Second)
		}
		return nil, nil
	}}
	accepted := func(g *rig) []event.Accepted { return sent[event.Accepted](g, event.TaskAccepted) }
	inBubble(t, x, func(t *testing.T, g *rig) {
		g.offer(task(named("quick")))
		g.pass(time.Second)
		require.Empty(t, accepted(g), "its result says it all")
		began := time.Now()
		g.offer(task(named("slow")))
		g.pass(acceptAfter - time.Millisecond)
		require.Empty(t, accepted(g))
		g.pass(time.Millisecond)
		require.Len(t, accepted(g), 1)
		require.True(t, accepted(g)[0].StartedAt.Equal(began))
		require.Equal(t, "slow", accepted(g)[0].Step)
		require.Len(t, g.results(), 1)
		g.pass(time.Second)
		require.Len(t, g.results(), 2)
	})
}

func TestAnAcceptanceIsRepeatedUntilConfirmed(t *testing.T) {
	inBubble(t, funcs{apply: untilCancelled}, func(t *testing.T, g *rig) {
		g.bus.refuseWith(func(bus.Message) error { return errNoBroker })
		g.offer(task())
		g.pass(time.Second)
		require.Empty(t, sent[event.Accepted](g, event.TaskAccepted))
		g.bus.refuseWith(nil)
		g.pass(10 * time.Second)
		require.Len(t, sent[event.Accepted](g, event.TaskAccepted), 1)
	})
}

func TestALeaseBeginsWithTheAcceptance(t *testing.T) {
	inBubble(t, funcs{apply: untilCancelled}, func(t *testing.T, g *rig) {
		g.bus.refuseWith(func(bus.Message) error { return errNoBroker })
		g.offer(task())
		g.pass(2 * defaultHeartbeat)
		g.bus.refuseWith(func(m bus.Message) error {
			if m.Type == event.TypeOf(event.RunnerHeartbeat) {
				return errNoBroker
			}
			return nil
		})
		g.pass(2 * defaultHeartbeat)
		require.Empty(t, g.results(), "the server has heard of it when it was accepted")
		g.pass(3 * defaultHeartbeat)
		require.Equal(t, fault.RunnerLost, g.result().Error.Code)
	})
}

func TestAResultIsRepeatedUntilConfirmed(t *testing.T) {
	tries := map[string]int{}
	inBubble(t, funcs{}, func(t *testing.T, g *rig) {
		g.bus.refuseWith(func(m bus.Message) error { tries[m.ID]++; return errNoBroker })
		g.offer(task())
		g.pass(time.Minute)
		require.Equal(t, 1, g.runner.Status().Running)
		g.bus.refuseWith(nil)
		g.pass(10 * time.Second)
		g.result()
		require.Zero(t, g.runner.Status().Running)
		for _, m := range g.bus.messages() {
			if m.Type == event.TypeOf(event.TaskFinished) {
				require.Greater(t, tries[m.ID], 5, "each time under the same ID")
			}
		}
	})
}

func TestAResultWhoseConfirmNeverComesIsSentAgain(t *testing.T) {
	inBubble(t, funcs{}, func(t *testing.T, g *rig) {
		g.bus.stall()
		g.offer(task())
		g.bus.mu.Lock()
		g.bus.hold = false // from now on; what was sent before stays unanswered
		g.bus.mu.Unlock()
		require.Empty(t, g.results())
		g.pass(2 * publishDeadline)
		g.result()
	})
}

func TestAResultThatTheBusNeverTakesIsReplaced(t *testing.T) {
	x := funcs{apply: func(context.Context, executor.Request) (executor.Outputs, error) {
		return executor.Outputs{"a": {Value: json.RawMessage(`"large"`)}}, nil
	}}
	inBubble(t, x, func(t *testing.T, g *rig) {
		g.bus.refuseWith(func(m bus.Message) error {
			if e, _ := event.Decode(m.Body); json.Valid(e.Data) && len(e.Data) > 0 && containsOutput(e.Data) {
				return fault.New(fault.Reject, fault.Invalid, "too large")
			}
			return nil
		})
		g.offer(task())
		require.Equal(t, fault.ExecutorFailed, g.result().Error.Code)
		require.Equal(t, fault.GiveUp, g.result().Error.Disposition)
		require.Zero(t, g.runner.Status().Running)
	})
}

func containsOutput(data json.RawMessage) bool {
	var r event.Result
	return json.Unmarshal(data, &r) == nil && len(r.Outputs) > 0
}

func TestFolders(t *testing.T) {
	packed, err := bundle.Pack(fstest.MapFS{"main.tf": {Data: []byte("x")}}, ".")
	require.NoError(t, err)
	var seen []executor.Request
	x := funcs{
		apply: func(_ context.Context, r executor.Request) (executor.Outputs, error) {
			seen = append(seen, r)
			return nil, os.WriteFile(filepath.Join(r.WorkDir, "cache"), nil, 0o600)
		},
		destroy: func(_ context.Context, r executor.Request) error {
			_, err := os.Stat(filepath.Join(r.WorkDir, "cache"))
			return err
		},
	}
	inBubble(t, x, func(t *testing.T, g *rig) {
		withBundle := func(t *event.Task) { t.Bundle = packed }
		g.offer(task(withBundle))
		g.offer(task(withBundle, named("b")))
		require.Len(t, seen, 2)
		require.Equal(t, seen[0].Bundle, seen[1].Bundle)
		require.FileExists(t, filepath.Join(seen[0].Bundle, "main.tf"))
		require.NotEqual(t, seen[0].WorkDir, seen[1].WorkDir)

		destroy := func(t *event.Task) { t.Verb, t.Operation = event.Destruct, "op2" }
		g.offer(task(destroy, withBundle))
		require.NoDirExists(t, seen[0].WorkDir)
		require.DirExists(t, seen[1].WorkDir)
		g.offer(task(destroy, withBundle, named("b")))
		require.NoDirExists(t, filepath.Dir(seen[0].WorkDir))
		for _, r := range g.results() {
			require.Nil(t, r.Error)
		}
	})
}
