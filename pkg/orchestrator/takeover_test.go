package orchestrator

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/noop"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// switchable is an authority that a test gives and takes.
type switchable struct {
	mu    sync.Mutex
	until time.Time
}

func (s *switchable) set(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.until = time.Now().Add(d)
}

func (s *switchable) left(now time.Time) (time.Duration, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if left := s.until.Sub(now); left > 0 {
		return left, false, nil
	}
	return 0, false, fault.New(fault.Wait, fault.AuthorityLost, "nobody was heard")
}

func TestASideThatMayNotActTakesNothingAndStopsItsWork(t *testing.T) {
	r := newRig(t)
	a := &switchable{}
	a.set(time.Hour)
	r.options = func(o *Options) { o.Authority = a.left }
	r.start()
	working, stopped := make(chan struct{}, 100), make(chan struct{}, 100)
	r.runnerWith(funcs{Executor: noop.New(), apply: func(ctx context.Context) {
		working <- struct{}{}
		<-ctx.Done()
		stopped <- struct{}{}
	}}, "w", "default", r.bus)
	require.True(t, r.command(event.EnvironmentCreate, "one", event.Create{Templates: []string{"small"}}).Accepted)
	<-working
	a.set(0)
	select {
	case <-stopped:
	case <-time.After(patience):
		t.Fatal("the runner works on")
	}
	partition := r.partitionOf("one")
	before, err := r.store.Head(t.Context(), partition)
	require.NoError(t, err)
	sent := make(chan event.Answer, 1)
	go func() { sent <- r.command(event.EnvironmentCancel, "one", event.Cancel{}) }()
	select {
	case answer := <-sent:
		t.Fatalf("a command is taken: %+v", answer)
	case <-time.After(3 * time.Second):
	}
	after, err := r.store.Head(t.Context(), partition)
	require.NoError(t, err)
	require.Equal(t, before.Seq, after.Seq, "nothing is written")
	a.set(time.Hour)
	require.True(t, (<-sent).Accepted, "it has waited on the bus")
}

func (r *rig) partitionOf(name string) int {
	record, err := r.store.Environment(r.Context(), name)
	require.NoError(r, err)
	return record.Partition
}

// funcs is noop with a ledger of what was really done.
type funcs struct {
	executor.Executor
	apply func(ctx context.Context)
	found func() event.Presence
}

func (f funcs) Apply(ctx context.Context, q executor.Request) (executor.Outputs, error) {
	if f.apply != nil {
		f.apply(ctx)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return f.Executor.Apply(ctx, q)
}

func (f funcs) Observe(ctx context.Context, q executor.Request) (event.Observation, error) {
	if f.found == nil {
		return f.Executor.Observe(ctx, q)
	}
	return executor.Look(f.found(), nil)
}

func TestUnderAHigherEpochWhatWasInFlightIsLookedAtFirst(t *testing.T) {
	r := newRig(t)
	_, stop := r.start()
	working := make(chan struct{}, 100)
	first := true
	var mu sync.Mutex
	r.runnerWith(funcs{Executor: noop.New(), apply: func(ctx context.Context) {
		mu.Lock()
		hang := first
		first = false
		mu.Unlock()
		if hang {
			working <- struct{}{}
			<-ctx.Done()
		}
	}, found: func() event.Presence { return event.Absent }}, "w", "default", r.bus)
	require.True(t, r.command(event.EnvironmentCreate, "one", event.Create{Templates: []string{"small"}}).Accepted)
	<-working
	stop() // the server alone; its runner works on until it hears of the higher epoch
	from := time.Now().Add(2 * time.Second)
	r.options = func(o *Options) { o.Epoch, o.OfferFrom = 2, from }
	r.start()
	r.await("one", environment.Deployed)
	entries, err := r.store.Entries(t.Context(), store.Selection{Partition: -1, Environment: "one"})
	require.NoError(t, err)
	var seen []string
	for _, e := range entries {
		if e.Epoch == 1 {
			continue
		}
		body, err := environment.DecodeBody(e.Type, e.Data)
		require.NoError(t, err)
		if w, ok := body.(environment.StepWaiting); ok {
			require.False(t, e.Time.Before(from), "offered while the other side may be at work")
			e.Type += " " + string(w.Verb)
		}
		seen = append(seen, e.Type)
	}
	require.Equal(t, []string{"operation.taken-over", "step.doubted", "operation.held"}, seen[:3])
	require.Contains(t, seen, "step.waiting observe")
	require.Contains(t, seen, "step.settled")
}
