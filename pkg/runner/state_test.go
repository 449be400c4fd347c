package runner

import (
	"context"
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

func (g *rig) states() []event.State { return sent[event.State](g, event.TaskState) }

// opened is what a state says that was sent.
func (g *rig) opened(s event.State) string {
	g.t.Helper()
	data, err := OpenState(g.box, s.TaskRef, s.Data)
	require.NoError(g.t, err)
	return string(data)
}

// with gives a task the state that an executor had saved.
func with(g *rig, state string) func(*event.Task) {
	return func(t *event.Task) {
		var err error
		t.State, err = sealState(g.box, t.TaskRef, []byte(state))
		require.NoError(g.t, err)
	}
}

// names of the messages about a task, in their order.
func (g *rig) names() []string {
	var names []string
	for _, m := range g.bus.messages() {
		if name, _ := event.NameOf(m.Type); strings.HasPrefix(name, "task.") {
			names = append(names, name)
		}
	}
	return names
}

func TestAStateGoesRoundAndIsThereBeforeTheResult(t *testing.T) {
	var got string
	x := funcs{apply: func(ctx context.Context, r executor.Request) (executor.Outputs, error) {
		got = string(r.State)
		for _, data := range []string{strings.Repeat("hunter2 ", 1000), "hunter3", ""} {
			if err := r.SaveState(ctx, []byte(data)); err != nil {
				return nil, err
			}
		}
		return nil, nil
	}}
	inBubble(t, x, func(t *testing.T, g *rig) {
		g.offer(task(with(g, "of before")))
		require.Nil(t, g.result().Error)
		require.Equal(t, "of before", got)
		states := g.states()
		require.Len(t, states, 3)
		for i, s := range states {
			require.Equal(t, task().TaskRef, s.TaskRef)
			require.Equal(t, g.runner.id, s.Runner)
			require.Equal(t, i+1, s.Number)
		}
		require.Equal(t, strings.Repeat("hunter2 ", 1000), g.opened(states[0]))
		require.Less(t, len(states[0].Data), 500, "packed")
		require.NotContains(t, states[1].Data, "hunter")
		require.Empty(t, states[2].Data)
		require.Equal(t, []string{event.TaskState, event.TaskState, event.TaskState, event.TaskFinished}, g.names())
		m := g.first(event.TaskState)
		require.Equal(t, bus.Partition(3), m.To.Key)
		require.False(t, m.Transient)
		require.Zero(t, m.Expires)
	})
}

func TestAStateThatIsNotTheStepsIsNotTaken(t *testing.T) {
	ran := false
	x := funcs{apply: func(context.Context, executor.Request) (executor.Outputs, error) { ran = true; return nil, nil }}
	inBubble(t, x, func(t *testing.T, g *rig) {
		other := task(named("notes.x.b"), with(g, "of b"))
		elsewhere := task(func(t *event.Task) { t.Environment = "others" }, with(g, "of others"))
		for _, text := range []string{other.State, elsewhere.State, "nonsense", g.box.SealBytes([]byte("x")), g.box.SealFor([]byte("no gzip"), placeOf(task().TaskRef)...)} {
			before := len(g.results())
			g.offer(task(func(t *event.Task) { t.Attempt, t.State = before+1, text }))
			result := g.results()[before]
			require.Equal(t, fault.GiveUp, result.Error.Disposition)
			require.Contains(t, result.Error.Message, "the state of notes.x.a")
		}
		require.False(t, ran, "without its state it would make again what is there")
	})
}

func TestAStateWaitsForTheBroker(t *testing.T) {
	saved := make(chan error, 1)
	x := funcs{apply: func(ctx context.Context, r executor.Request) (executor.Outputs, error) {
		ctx, cancel := context.WithCancel(ctx)
		cancel() // the work is over for whoever calls, and the state is worth keeping all the same
		saved <- r.SaveState(ctx, []byte("x"))
		return nil, nil
	}}
	inBubble(t, x, func(t *testing.T, g *rig) {
		g.bus.refuseWith(func(m bus.Message) error {
			if m.Type == event.TypeOf(event.TaskState) {
				return errNoBroker
			}
			return nil
		})
		g.offer(task())
		g.pass(time.Minute)
		require.Empty(t, saved)
		require.Empty(t, g.results(), "no result without the state that belongs to it")
		g.bus.refuseWith(nil)
		g.pass(time.Minute)
		require.NoError(t, <-saved)
		require.Equal(t, "x", g.opened(g.states()[0]))
		require.Nil(t, g.result().Error)
	})
}

func TestAStateThatIsTooLarge(t *testing.T) {
	var size int
	x := funcs{apply: func(ctx context.Context, r executor.Request) (executor.Outputs, error) {
		data := make([]byte, size)
		_, _ = rand.Read(data)
		return nil, r.SaveState(ctx, data)
	}}
	inBubble(t, x, func(t *testing.T, g *rig) {
		size = event.MaxState
		g.offer(task())
		e := g.result().Error
		require.Equal(t, fault.Invalid, e.Code)
		require.Equal(t, fault.GiveUp, e.Disposition)
		require.Contains(t, e.Message, "8388608 are possible")
		require.Contains(t, e.Message, "backend of your own")

		size = 5 << 20
		g.offer(task(func(t *event.Task) { t.Attempt = 2 }))
		require.Nil(t, g.results()[1].Error, "5 MiB that can't be packed are possible")

		g.bus.refuseWith(func(m bus.Message) error {
			if m.Type == event.TypeOf(event.TaskState) {
				return fault.New(fault.Reject, fault.Invalid, "1048576 are possible")
			}
			return nil
		})
		g.offer(task(func(t *event.Task) { t.Attempt = 3 }))
		e = g.results()[2].Error
		require.Equal(t, fault.Invalid, e.Code)
		require.Contains(t, e.Message, "the state of notes.x.a can't be kept")
		require.Contains(t, e.Message, "1048576 are possible")
	})
}

func TestADestroyIsLookedAtWithWhatItSaved(t *testing.T) {
	x := funcs{
		destroy: func(ctx context.Context, r executor.Request) error { return r.SaveState(ctx, nil) },
		observe: func(_ context.Context, r executor.Request) (event.Presence, error) {
			if r.State != nil || r.SaveState != nil {
				return event.Present, nil
			}
			return event.Absent, nil
		},
	}
	inBubble(t, x, func(t *testing.T, g *rig) {
		g.offer(task(with(g, "something"), func(t *event.Task) { t.Verb = event.Destruct }))
		require.Nil(t, g.result().Error)
		require.Len(t, g.states(), 1)
	})
}

// TestNothingIsSavedBehindTheResult: an executor that goes on in the background can't come in behind it.
func TestNothingIsSavedBehindTheResult(t *testing.T) {
	errs := make(chan error, 2)
	x := funcs{apply: func(ctx context.Context, r executor.Request) (executor.Outputs, error) {
		begun := make(chan struct{})
		go func() {
			close(begun)
			errs <- r.SaveState(ctx, []byte("under way"))
			<-time.After(time.Hour)
			errs <- r.SaveState(ctx, []byte("afterwards"))
		}()
		<-begun
		<-time.After(time.Second)
		return nil, nil
	}}
	inBubble(t, x, func(t *testing.T, g *rig) {
		g.bus.refuseWith(func(m bus.Message) error {
			if m.Type == event.TypeOf(event.TaskState) {
				return errNoBroker
			}
			return nil
		})
		g.offer(task())
		g.pass(10 * time.Second)
		require.Empty(t, g.results())
		g.bus.refuseWith(nil)
		g.pass(2 * time.Hour)
		require.NoError(t, <-errs)
		require.Equal(t, fault.Invalid, fault.From(<-errs).Code)
		require.Equal(t, []string{event.TaskAccepted, event.TaskState, event.TaskFinished}, g.names())
	})
}

// TestALostLeaseSavesAllTheSame: the server decides whether it still takes the state, the executor hears that it may not.
func TestALostLeaseSavesAllTheSame(t *testing.T) {
	saved := make(chan error, 1)
	x := funcs{apply: func(ctx context.Context, r executor.Request) (executor.Outputs, error) {
		<-ctx.Done()
		saved <- r.SaveState(ctx, []byte("what was made"))
		return nil, ctx.Err()
	}}
	inBubble(t, x, func(t *testing.T, g *rig) {
		g.offer(task())
		g.bus.stall()
		g.pass(time.Minute)
		g.bus.release()
		g.pass(time.Minute)
		err := fault.From(<-saved)
		require.Equal(t, fault.Busy, err.Code)
		require.Equal(t, fault.Wait, err.Disposition)
		require.Equal(t, "what was made", g.opened(g.states()[0]))
		require.Equal(t, fault.RunnerLost, g.result().Error.Code)
	})
}

// TestANewerAttemptHereGoesOnFromWhatTheOlderMade, although it was offered before the older one had saved it.
func TestANewerAttemptHereGoesOnFromWhatTheOlderMade(t *testing.T) {
	saved := make(chan error, 1)
	var got string
	x := funcs{apply: func(ctx context.Context, r executor.Request) (executor.Outputs, error) {
		if r.Attempt > 1 {
			got = string(r.State)
			return nil, nil
		}
		if err := r.SaveState(ctx, []byte("a")); err != nil {
			return nil, err
		}
		<-ctx.Done()
		<-time.After(time.Second) // it was interrupted, and puts things in order
		saved <- r.SaveState(ctx, []byte("a, b"))
		return nil, ctx.Err()
	}}
	inBubble(t, x, func(t *testing.T, g *rig) {
		g.offer(task())
		g.offer(task(with(g, "a"), func(t *event.Task) { t.Attempt = 2 }))
		g.pass(10 * time.Second)
		require.Equal(t, fault.Busy, fault.From(<-saved).Code)
		require.Equal(t, "a, b", got)
		states := g.states()
		require.Len(t, states, 2)
		require.Equal(t, [2]int{1, 1}, [2]int{states[0].Attempt, states[0].Number})
		require.Equal(t, [2]int{2, 1}, [2]int{states[1].Attempt, states[1].Number}, "the older one's would be refused")
		require.Equal(t, "a, b", g.opened(states[1]))
	})
}

// TestWhatWasMadeIsHandedOnByAnAttemptThatNeverRan: each of three attempts is overtaken before the first has ended.
func TestWhatWasMadeIsHandedOnByAnAttemptThatNeverRan(t *testing.T) {
	var got []string
	x := funcs{apply: func(ctx context.Context, r executor.Request) (executor.Outputs, error) {
		got = append(got, string(r.State))
		if r.Attempt == 1 {
			<-ctx.Done()
			<-time.After(time.Second)
			_ = r.SaveState(ctx, []byte("made"))
			return nil, ctx.Err()
		}
		return nil, nil
	}}
	inBubble(t, x, func(t *testing.T, g *rig) {
		for attempt := 1; attempt <= 3; attempt++ {
			g.offer(task(func(t *event.Task) { t.Attempt = attempt }))
		}
		g.pass(10 * time.Second)
		require.Equal(t, []string{"", "made"}, got)
		require.Equal(t, 3, g.states()[0].Attempt)
		require.Len(t, g.states(), 1)
	}, func(o *Options) { o.Concurrency = 3 })
}
