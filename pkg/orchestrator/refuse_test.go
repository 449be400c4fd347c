package orchestrator

import (
	"context"
	"encoding/json"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// TestTwoServersHandOverAndEnd: both servers of a side that has stepped down read its queue, so that the mark of one may come to the other.
// Both come to the end all the same.
func TestTwoServersHandOverAndEnd(t *testing.T) {
	r := newRig(t)
	require.NoError(t, r.bus.Declare(t.Context(), bus.Topology{}))
	r.listen()
	var over atomic.Int32
	both := []*Refuser{}
	for range 2 {
		f := NewRefuser(RefuserOptions{Bus: r.bus, Cluster: "local", HandedOver: func() { over.Add(1) },
			HandOver: func(_ context.Context, commands []json.RawMessage) ([]event.Answer, error) {
				answers := make([]event.Answer, len(commands))
				for i := range answers {
					answers[i].Accepted = true
				}
				return answers, nil
			}})
		both = append(both, f)
		require.NoError(t, f.Start(t.Context()))
		defer func() { require.NoError(t, f.Stop(context.Background())) }()
	}
	for _, f := range both {
		require.Eventually(t, f.over.Load, patience, 10*time.Millisecond)
	}
	require.Equal(t, int32(2), over.Load(), "each says it once")
	require.Equal(t, fault.NotPrimary, r.command(event.EnvironmentDestroy, "one", event.Destroy{}).Error.Code, "what comes later is refused")
}

// unheard is a bus on which whoever has asked is gone.
type unheard struct{ bus.Bus }

func (d unheard) Send(ctx context.Context, m bus.Message, done func(error)) error {
	if m.Type == event.AnswerType {
		go done(fault.New(fault.GiveUp, fault.NotFound, "there is no queue %q on the broker", m.To.Key))
		return nil
	}
	return d.Bus.Send(ctx, m, done)
}

// TestARefusedCommandThatNobodyHearsOfIsKept: whoever sent it to a side that was lost may be gone when that comes back. It is not lost silently,
// and not refused again for ever.
func TestARefusedCommandThatNobodyHearsOfIsKept(t *testing.T) {
	r := newRig(t)
	require.NoError(t, r.bus.Declare(t.Context(), bus.Topology{}))
	dead := make(chan *bus.Message, 8)
	sub, err := r.bus.Consume(t.Context(), bus.ConsumeOptions{Queue: bus.DeadLetters, Prefetch: 8}, func(d bus.Delivery) {
		dead <- d.Message()
		d.Ack()
	})
	require.NoError(t, err)
	defer func() { require.NoError(t, sub.Stop(context.Background())) }()
	for _, to := range []string{"", "gone"} {
		e := event.Envelope{SpecVersion: event.SpecVersion, ID: uuid.NewString(), Source: "test", Type: event.TypeOf(event.EnvironmentDestroy), Subject: "one",
			DataContentType: "application/json", Data: json.RawMessage("{}")}
		require.NoError(t, r.bus.Publish(t.Context(), bus.Message{To: bus.Address{Exchange: bus.Commands, Key: event.EnvironmentDestroy}, ID: e.ID, Type: e.Type,
			ContentType: event.ContentType, ReplyTo: to, Body: e.Encode()}))
	}
	f := NewRefuser(RefuserOptions{Bus: unheard{r.bus}, Cluster: "local"})
	require.NoError(t, f.Start(t.Context()))
	defer func() { require.NoError(t, f.Stop(context.Background())) }()
	for range 2 {
		m := <-dead
		require.Equal(t, string(fault.NotPrimary), m.Headers[bus.HeaderReason])
	}
}
