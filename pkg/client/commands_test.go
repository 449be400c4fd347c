package client

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// loop is a bus on which answer is the only server.
type loop struct {
	bus.Bus // the rest is not called
	answer  func(bus.Message) []bus.Message
	failure error

	mu        sync.Mutex
	published []bus.Message
	handle    func(*bus.Message)
	listens   int
	stopped   bool
}

func (l *loop) Publish(_ context.Context, messages ...bus.Message) error {
	if l.failure != nil {
		return l.failure
	}
	l.mu.Lock()
	l.published = append(l.published, messages...)
	handle := l.handle
	l.mu.Unlock()
	for _, m := range messages {
		for _, a := range l.answer(m) {
			handle(&a)
		}
	}
	return nil
}

func (l *loop) Listen(_ context.Context, _ []bus.Address, handle func(*bus.Message)) (bus.Listener, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.handle = handle
	l.listens++
	return l, nil
}

func (l *loop) Address() string { return "reply.here" }

func (l *loop) Stop(context.Context) error { l.stopped = true; return nil }

func reply(m bus.Message, a event.Answer) bus.Message {
	data, err := json.Marshal(a)
	if err != nil {
		panic(err)
	}
	e := event.Envelope{SpecVersion: event.SpecVersion, ID: "a", Source: "s", Type: event.AnswerType, Data: data}
	return bus.Message{CorrelationID: m.CorrelationID, Body: e.Encode()}
}

func TestSendPublishesACloudEvent(t *testing.T) {
	l := &loop{}
	l.answer = func(m bus.Message) []bus.Message {
		e, err := event.Decode(m.Body)
		require.NoError(t, err)
		stray := reply(m, event.Answer{CommandID: "stray"})
		stray.CorrelationID = "somebody else's"
		good := reply(m, event.Answer{CommandID: e.ID, Accepted: e.Subject == "notes", Operation: "op"})
		return []bus.Message{{Body: []byte("garbage"), CorrelationID: m.CorrelationID}, stray, good, good}
	}
	c := NewBus(l, "/teams/notes")
	answer, err := c.Send(context.Background(), event.EnvironmentCreate, "notes", event.Create{Templates: []string{"notes"}},
		SendOptions{TraceParent: "00-x"})
	require.NoError(t, err)
	require.True(t, answer.Accepted)

	m := l.published[0]
	e, err := event.Decode(m.Body)
	require.NoError(t, err)
	require.Equal(t, bus.Address{Exchange: bus.Commands, Key: "environment.create"}, m.To)
	require.Equal(t, "reply.here", m.ReplyTo)
	require.Equal(t, event.ContentType, m.ContentType)
	require.Equal(t, map[string]string{"traceparent": "00-x"}, m.Headers)
	require.Equal(t, "vivarium.environment.create.v1", e.Type)
	require.Equal(t, "/teams/notes", e.Source)
	require.Equal(t, "notes", e.Subject)
	require.JSONEq(t, `{"templates":["notes"]}`, string(e.Data))
	id, err := uuid.Parse(e.ID)
	require.NoError(t, err)
	require.Equal(t, uuid.Version(7), id.Version())
	require.Equal(t, e.ID, answer.CommandID)

	rejected, err := c.Send(context.Background(), event.EnvironmentCancel, "other", event.Cancel{}, SendOptions{ID: "mine"})
	require.NoError(t, err, "a rejected command is an answer")
	require.False(t, rejected.Accepted)
	require.Equal(t, "mine", rejected.CommandID)
	require.NotEqual(t, l.published[0].CorrelationID, l.published[1].CorrelationID)
	require.Equal(t, 1, l.listens)
	require.Empty(t, c.waiting, "nothing is kept of commands that are answered")

	require.NoError(t, c.Close(context.Background()))
	require.True(t, l.stopped)
	_, err = c.Send(context.Background(), event.EnvironmentCancel, "notes", event.Cancel{}, SendOptions{})
	require.True(t, fault.Is(err, fault.Unavailable))
}

func TestSendsAtOnce(t *testing.T) {
	l := &loop{answer: func(m bus.Message) []bus.Message {
		e, _ := event.Decode(m.Body)
		return []bus.Message{reply(m, event.Answer{CommandID: e.ID, Accepted: true})}
	}}
	c := NewBus(l, "x")
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			id := uuid.NewString()
			answer, err := c.Send(context.Background(), event.EnvironmentDestroy, "notes", event.Destroy{}, SendOptions{ID: id})
			if err != nil || answer.CommandID != id {
				t.Errorf("answer %v, error %v for %s", answer, err, id)
			}
		})
	}
	all.Wait()
	require.Equal(t, 1, l.listens)
}

func TestNoAnswer(t *testing.T) {
	l := &loop{answer: func(bus.Message) []bus.Message { return nil }}
	c := NewBus(l, "x")
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	_, err := c.Send(ctx, event.EnvironmentDestroy, "notes", event.Destroy{}, SendOptions{ID: "c-1"})
	require.True(t, fault.Is(err, fault.Timeout))
	require.Contains(t, fault.From(err).Message, "c-1")
	require.Contains(t, fault.From(err).Message, "still be taken")
	require.Empty(t, c.waiting)

	cancelled, stop := context.WithCancel(context.Background())
	stop()
	_, err = c.Send(cancelled, event.EnvironmentDestroy, "notes", event.Destroy{}, SendOptions{ID: "c-2"})
	require.True(t, fault.Is(err, fault.Cancelled))

	l.failure = errors.New("no broker")
	_, err = c.Send(context.Background(), event.EnvironmentDestroy, "notes", event.Destroy{}, SendOptions{})
	require.ErrorIs(t, err, l.failure)
	_, err = c.Send(cancelled, event.EnvironmentDestroy, "notes", event.Destroy{}, SendOptions{ID: "c-3"})
	require.Contains(t, fault.From(err).Message, "not confirmed")
	_, err = c.Send(context.Background(), event.EnvironmentDestroy, "notes", make(chan int), SendOptions{})
	require.True(t, fault.Is(err, fault.Invalid))
}

func TestAnswersOfAnotherVersion(t *testing.T) {
	l := &loop{answer: func(m bus.Message) []bus.Message {
		e := event.Envelope{SpecVersion: event.SpecVersion, ID: "a", Source: "s", Type: "vivarium.command.answer.v9", CorrelationID: m.CorrelationID}
		return []bus.Message{{Body: e.Encode()}}
	}}
	_, err := NewBus(l, "x").Send(context.Background(), event.EnvironmentDestroy, "notes", event.Destroy{}, SendOptions{})
	require.True(t, fault.Is(err, fault.Unreadable))
}
