package orchestrator

import (
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// fakeDelivery is a delivery that tells what became of it.
type fakeDelivery struct {
	message *bus.Message
	acked   bool
}

func (h *fakeDelivery) Message() *bus.Message { return h.message }
func (h *fakeDelivery) Redelivered() bool     { return false }
func (h *fakeDelivery) Ack()                  { h.acked = true }
func (h *fakeDelivery) Requeue(time.Duration) {}
func (h *fakeDelivery) Dead(string, string)   {}

func handedTo(t *testing.T, name string, data any) *fakeDelivery {
	t.Helper()
	body, err := json.Marshal(data)
	require.NoError(t, err)
	e := event.Envelope{SpecVersion: event.SpecVersion, ID: uuid.NewString(), Source: "test", Type: event.TypeOf(name), Data: body}
	return &fakeDelivery{message: &bus.Message{ID: e.ID, Body: e.Encode()}}
}

// TestWhatAServerRemembersOfAPartitionThatItHadBefore: another one has offered a step since, and its result comes here. By what is remembered here nobody asked for
// that, so nothing is to be written; acknowledged, it would be lost, and the step done again.
func TestWhatAServerRemembersOfAPartitionThatItHadBefore(t *testing.T) {
	r := newRig(t)
	acting, _ := r.start()
	o := acting.Options
	o.Server = uuid.NewString()
	x, err := New(o)
	require.NoError(t, err)
	defer x.cancel()
	const name = "one"
	p := newPartition(x, x.partitionOf(name))
	require.NoError(t, p.load(t.Context()))
	unknown := handedTo(t, event.TaskFinished, event.Result{TaskRef: event.TaskRef{Environment: name, Operation: "op-9", Step: "small.noop.a", Attempt: 9}})
	require.NoError(t, p.attempt([]bus.Delivery{unknown}))
	require.True(t, unknown.acked, "nobody knows of it")

	begun, finish := r.working()
	end := sync.OnceFunc(func() { close(finish) })
	defer end()
	require.True(t, r.command(event.EnvironmentCreate, name, event.Create{Templates: []string{"small"}}).Accepted)
	<-begun
	for _, message := range []string{event.TaskFinished, event.TaskAccepted} {
		d := handedTo(t, message, event.Result{TaskRef: event.TaskRef{Environment: name, Operation: "op-1", Step: "small.noop.a", Attempt: 1}})
		require.ErrorIs(t, p.attempt([]bus.Delivery{d}), store.ErrConflict)
		require.False(t, d.acked)
	}
	mark := handedTo(t, event.QueueMark, event.Mark{Server: x.Server, Number: 1})
	require.ErrorIs(t, p.attempt([]bus.Delivery{mark}), store.ErrConflict, "nor does it say that nothing is in flight")
	require.False(t, mark.acked)
	end()
	r.await(name, environment.Deployed)
}
