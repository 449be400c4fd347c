package orchestrator

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor/noop"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// publish puts a command on the bus and does not wait for its answer.
func (r *rig) publish(name, environment string, data any) event.Envelope {
	r.Helper()
	body, err := json.Marshal(data)
	require.NoError(r, err)
	e := event.Envelope{SpecVersion: event.SpecVersion, ID: uuid.NewString(), Source: "test", Type: event.TypeOf(name), Subject: environment, Data: body}
	require.NoError(r, r.bus.Publish(r.Context(), bus.Message{To: bus.Address{Exchange: bus.Commands, Key: name}, ID: e.ID, ReplyTo: r.answers.Address(),
		CorrelationID: e.ID, ContentType: event.ContentType, Body: e.Encode()}))
	return e
}

func (r *rig) heads() (all []uint64) {
	for n := range 2 {
		h, err := r.store.Head(r.Context(), n)
		require.NoError(r, err)
		all = append(all, h.Seq)
	}
	return all
}

// working is a runner whose first step goes on until the channel that is returned is closed, or it is stopped.
func (r *rig) working() (begun <-chan struct{}, finish chan struct{}) {
	working := make(chan struct{}, 100)
	finish = make(chan struct{})
	r.runnerWith(funcs{Executor: noop.New(), apply: func(ctx context.Context) {
		working <- struct{}{}
		select {
		case <-finish:
		case <-ctx.Done():
		}
	}}, "w", "default", r.bus)
	return working, finish
}

func TestASideStepsDownOnceItsStepsHaveEnded(t *testing.T) {
	r := newRig(t)
	x, stop := r.start()
	begun, finish := r.working()
	require.True(t, r.command(event.EnvironmentCreate, "one", event.Create{Templates: []string{"small"}}).Accepted)
	<-begun
	down := make(chan error, 1)
	go func() {
		inFlight, err := x.StepDown(t.Context())
		if err == nil && inFlight > 0 {
			err = fault.New(fault.GiveUp, fault.Conflict, "%d steps are in flight", inFlight)
		}
		down <- err
	}()
	require.Eventually(t, x.draining.Load, patience, time.Millisecond)
	select {
	case err := <-down:
		t.Fatalf("it does not wait for a step: %v", err)
	case <-time.After(time.Second):
	}
	close(finish)
	require.NoError(t, <-down)
	before := r.heads()
	record, err := r.store.Environment(t.Context(), "one")
	require.NoError(t, err)
	require.Equal(t, environment.Deploying, record.Status, "what had not begun is left")
	r.publish(event.EnvironmentCreate, "late", event.Create{Templates: []string{"small"}})
	stop()
	require.Equal(t, before, r.heads(), "nothing is written any more")

	r.start()
	r.await("one", environment.Deployed)
	r.await("late", environment.Deployed)
}

func TestWhatDoesNotEndInTimeIsCountedAndStopped(t *testing.T) {
	r := newRig(t)
	x, stop := r.start()
	begun, _ := r.working()
	require.True(t, r.command(event.EnvironmentCreate, "one", event.Create{Templates: []string{"small"}}).Accepted)
	<-begun
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	inFlight, err := x.StepDown(ctx)
	require.NoError(t, err)
	require.NotZero(t, inFlight)
	before := r.heads()
	stop()
	require.Equal(t, before, r.heads(), "what was stopped is for the other side to look at")
}

// TestCommandsAreHandedOver has two sides with a bus each: what stands in the queue of the one that has stepped down is taken by the
// other, in order and once, and who asked is answered on the bus that he asked on.
func TestCommandsAreHandedOver(t *testing.T) {
	old, now := newRig(t), newRig(t)
	x, _ := now.start()
	now.runner("default")
	old.listen()
	require.NoError(t, old.bus.Declare(t.Context(), bus.Topology{}))
	create := old.publish(event.EnvironmentCreate, "one", event.Create{Templates: []string{"small"}})
	second := old.publish(event.EnvironmentCreate, "one", event.Create{Templates: []string{"small"}})
	over, calls := make(chan struct{}), 0
	f := NewRefuser(RefuserOptions{Bus: old.bus, Cluster: "local", HandedOver: func() { close(over) },
		HandOver: func(ctx context.Context, commands []json.RawMessage) ([]event.Answer, error) {
			calls++
			answers, err := x.Take(ctx, commands)
			if calls == 1 { // it was taken, and the answer was lost
				return nil, fault.New(fault.Retry, fault.Unavailable, "cut")
			}
			return answers, err
		}})
	require.NoError(t, f.Start(t.Context()))
	defer func() { require.NoError(t, f.Stop(context.Background())) }()
	answers := map[string]event.Answer{}
	for range 2 {
		a := <-old.answered
		answers[a.CommandID] = a
	}
	require.True(t, answers[create.ID].Accepted)
	require.True(t, answers[create.ID].Duplicate, "it was taken once, the first time")
	require.Contains(t, []fault.Code{fault.Exists, fault.Busy}, answers[second.ID].Error.Code, "in their order")
	now.await("one", environment.Deployed)
	<-over
	require.Equal(t, fault.NotPrimary, old.command(event.EnvironmentDestroy, "one", event.Destroy{}).Error.Code, "what comes later is refused")
}
