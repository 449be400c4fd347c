package runner

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

func TestATaskIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		code   fault.Code
		before func(*rig, event.Task)
		change func(*event.Task, *memoryDelivery)
	}{
		"redelivered":      {code: Redelivered, change: func(_ *event.Task, d *memoryDelivery) { d.redelivered = true }},
		"expired":          {code: Expired, change: func(t *event.Task, _ *memoryDelivery) { t.AcceptBefore = time.Now() }},
		"unknown executor": {code: fault.ExecutorUnknown, change: func(t *event.Task, _ *memoryDelivery) { t.Executor = "y" }},
		"cancelled before": {code: fault.Cancelled, before: func(g *rig, t event.Task) {
			g.tell(event.TaskCancel, event.CancelTask{TaskRef: t.TaskRef, Reason: "not wanted"})
		}},
		"epoch older than a welcome's": {code: fault.StaleEpoch, before: func(g *rig, _ event.Task) {
			g.tell(event.RunnerWelcome, event.Welcome{Epoch: 2})
		}},
		"epoch older than a task's": {code: fault.StaleEpoch, before: func(g *rig, _ event.Task) {
			g.offer(task(named("another"), func(t *event.Task) { t.Epoch = 2; t.Executor = "y" }))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			ran := false
			x := funcs{apply: func(context.Context, executor.Request) (executor.Outputs, error) { ran = true; return nil, nil }}
			inBubble(t, x, func(t *testing.T, g *rig) {
				offered, d := task(), &memoryDelivery{}
				if c.before != nil {
					c.before(g, offered)
				}
				if c.change != nil {
					c.change(&offered, d)
				}
				d.message.Body = envelope(event.TaskOffered, offered)
				g.deliver(d)
				require.Equal(t, []string{"ack"}, d.fates())
				refusals := g.refusals()
				require.NotEmpty(t, refusals)
				last := refusals[len(refusals)-1]
				require.Equal(t, c.code, last.Code)
				require.Equal(t, offered.TaskRef, last.TaskRef)
				require.NotEmpty(t, last.Reason)
				require.Empty(t, g.results())
				require.False(t, ran)
			})
		})
	}
}

func TestMessagesGoWhereTheyBelong(t *testing.T) {
	inBubble(t, funcs{}, func(t *testing.T, g *rig) {
		g.offer(task(func(t *event.Task) { t.Executor = "y"; t.TraceParent = "00-1-2-01" }))
		m := g.bus.messages()[len(g.bus.messages())-1]
		require.Equal(t, bus.Address{Key: bus.Partition(3)}, m.To)
		require.Equal(t, event.ContentType, m.ContentType)
		require.Equal(t, "00-1-2-01", m.Headers["traceparent"])
		e, err := event.Decode(m.Body)
		require.NoError(t, err)
		require.Equal(t, "vivarium/runner/one", e.Source)
		require.Equal(t, m.ID, e.ID)
		require.Equal(t, "m1", e.CausationID)
		require.Equal(t, uint64(1), *e.Epoch)
	})
}

func TestWhatIsNoTaskGoesToTheDeadLetters(t *testing.T) {
	for name, body := range map[string][]byte{
		"random bytes":       {0xff, 0x00, 0x17},
		"another type":       envelope(event.TaskFinished, task()),
		"no object":          envelope(event.TaskOffered, "task"),
		"wrong type":         envelope(event.TaskOffered, map[string]any{"environment": 1}),
		"no environment":     envelope(event.TaskOffered, task(func(t *event.Task) { t.Environment = "" })),
		"no step":            envelope(event.TaskOffered, task(named(""))),
		"negative partition": envelope(event.TaskOffered, task(func(t *event.Task) { t.Partition = -1 })),
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, funcs{}, func(t *testing.T, g *rig) {
				d := g.deliver(&memoryDelivery{message: bus.Message{Body: body}})
				require.Equal(t, []string{"dead unreadable"}, d.fates())
				g.offer(task())
				g.result() // the next one is served
			})
		})
	}
}

func TestATaskWaitsForAPlace(t *testing.T) {
	gate := make(chan struct{})
	running, most := 0, 0
	g := (*rig)(nil)
	x := funcs{apply: func(ctx context.Context, _ executor.Request) (executor.Outputs, error) {
		g.runner.mu.Lock()
		running++
		most = max(most, running)
		g.runner.mu.Unlock()
		<-gate
		g.runner.mu.Lock()
		running--
		g.runner.mu.Unlock()
		return nil, nil
	}}
	inBubble(t, x, func(t *testing.T, rig *rig) {
		g, gate = rig, make(chan struct{})
		var all []*memoryDelivery
		for _, name := range []string{"a", "b", "c", "d"} {
			all = append(all, g.offer(task(named(name))))
		}
		require.Equal(t, []string{"ack"}, all[1].fates())
		require.Empty(t, all[2].fates(), "it holds no place, so it is not acknowledged")
		require.Equal(t, 2, g.runner.Status().Running)
		close(gate)
		g.settle()
		require.Len(t, g.results(), 4)
		require.Equal(t, 2, most)
	})
}

func TestWhatHappensWhileATaskWaitsForAPlace(t *testing.T) {
	gate := make(chan struct{})
	blocked := funcs{apply: func(context.Context, executor.Request) (executor.Outputs, error) { <-gate; return nil, nil }}
	for name, c := range map[string]struct {
		happens func(*rig, event.Task)
		fate    string
		code    fault.Code
	}{
		"the offer lapses": {func(g *rig, _ event.Task) { g.pass(time.Hour) }, "ack", Expired},
		"it is cancelled": {func(g *rig, t event.Task) {
			g.tell(event.TaskCancel, event.CancelTask{TaskRef: t.TaskRef})
			close(gate)
		}, "ack", fault.Cancelled},
		"the connection is lost": {func(g *rig, _ event.Task) {
			g.bus.consumer(bus.Tasks("default")).options.Lost()
			close(gate)
		}, "ack", ""},
		"the runner stops": {func(g *rig, _ event.Task) {
			go func() { _ = g.stop(time.Minute) }()
			g.settle()
			close(gate)
		}, "requeue 0", ""},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, blocked, func(t *testing.T, g *rig) {
				gate = make(chan struct{})
				g.offer(task(named("a")))
				g.offer(task(named("b")))
				third := task(named("c"))
				d := g.offer(third)
				c.happens(g, third)
				g.settle()
				require.Equal(t, []string{c.fate}, d.fates())
				var codes []fault.Code
				for _, r := range g.refusals() {
					codes = append(codes, r.Code)
				}
				if c.code == "" {
					require.Empty(t, codes)
				} else {
					require.Equal(t, []fault.Code{c.code}, codes)
				}
				if name == "the offer lapses" {
					close(gate)
				}
				g.settle()
				require.Len(t, g.results(), 2, "the third one did not run")
				g.pass(time.Minute)
				if name == "the connection is lost" {
					g.offer(task(named("d")))
					require.Len(t, g.results(), 3, "its place is free again")
				}
			})
		})
	}
}

func TestACopyOfARunningTaskIsNoNews(t *testing.T) {
	inBubble(t, funcs{apply: untilCancelled}, func(t *testing.T, g *rig) {
		g.offer(task())
		again := g.deliver(&memoryDelivery{redelivered: true, message: bus.Message{Body: envelope(event.TaskOffered, task())}})
		fresh := g.offer(task())
		require.Equal(t, []string{"ack"}, again.fates())
		require.Equal(t, []string{"ack"}, fresh.fates())
		require.Empty(t, g.refusals())
		require.Equal(t, 1, g.runner.Status().Running)
	})
}

func TestANewerAttemptWaitsForTheOlderOneToEnd(t *testing.T) {
	var order []string
	slow := make(chan struct{})
	x := funcs{apply: func(ctx context.Context, r executor.Request) (executor.Outputs, error) {
		if r.Attempt == 1 {
			<-ctx.Done()
			<-slow // cleans up
			order = append(order, "older ended")
			return nil, ctx.Err()
		}
		order = append(order, "newer began")
		return nil, nil
	}}
	inBubble(t, x, func(t *testing.T, g *rig) {
		slow = make(chan struct{})
		g.offer(task())
		g.offer(task(func(t *event.Task) { t.Attempt = 2 }))
		require.Empty(t, order)
		late := g.offer(task())
		require.Equal(t, []string{"ack"}, late.fates())
		require.Equal(t, fault.Conflict, g.refusals()[0].Code)
		close(slow)
		g.settle()
		require.Equal(t, []string{"older ended", "newer began"}, order)
		require.Len(t, g.results(), 2)
		require.Zero(t, g.runner.Status().Running)
	}, func(o *Options) { o.Concurrency = 3 })
}

// TestAnOfferThatLapsesWhileItGetsItsPlace takes a place in the very moment in which the offer lapses.
func TestAnOfferThatLapsesWhileItGetsItsPlace(t *testing.T) {
	ran := false
	x := funcs{apply: func(context.Context, executor.Request) (executor.Outputs, error) { ran = true; return nil, nil }}
	inBubble(t, x, func(t *testing.T, g *rig) {
		offered := task(func(t *event.Task) { t.AcceptBefore = time.Now().Add(time.Second) })
		expired, ok := g.runner.takePlace(&offered)
		require.False(t, expired)
		require.True(t, ok)
		g.pass(time.Second)
		d := &memoryDelivery{}
		(&intake{runner: g.runner, pool: "default"}).begin(d, &offered, event.Envelope{})
		g.settle()
		require.Equal(t, []string{"ack"}, d.fates())
		require.False(t, ran)
		require.Len(t, g.refusals(), 1)
		require.Equal(t, Expired, g.refusals()[0].Code)
		require.Empty(t, g.results())
		require.Empty(t, g.runner.slots, "its place is free again")
	})
}
