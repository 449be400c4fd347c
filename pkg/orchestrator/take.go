package orchestrator

import (
	"context"
	"encoding/json"
	"sync"

	"github.com/google/uuid"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Take puts commands that were sent to another side onto this side's bus, in their order, and returns their answers in the same one.
// A command that was taken before is answered as it was then. When ctx ends before all are answered, its error says so; they may be
// given again.
func (x *Orchestrator) Take(ctx context.Context, commands []json.RawMessage) ([]event.Answer, error) {
	if !x.ready.Load() || x.draining.Load() {
		return nil, fault.New(fault.Wait, fault.Unavailable, "the server does not take commands now")
	}
	taken, messages := answersTo{all: make(chan struct{}), waiting: len(commands), got: make([]event.Answer, len(commands)), at: map[string]int{}}, []bus.Message{}
	for i, body := range commands {
		e, err := event.Decode(body)
		if err != nil {
			return nil, err
		}
		name, _ := event.NameOf(e.Type)
		correlation := uuid.NewString() // a broker that knows the command's id would drop what is given again
		taken.at[correlation] = i
		messages = append(messages, bus.Message{To: bus.Address{Exchange: bus.Commands, Key: commandName(name, "other")}, ID: correlation, Type: e.Type,
			CorrelationID: correlation, ContentType: event.ContentType, Body: body})
	}
	l, err := x.Bus.Listen(ctx, nil, taken.hear)
	if err != nil {
		return nil, err
	}
	defer func() { _ = l.Stop(context.WithoutCancel(ctx)) }()
	for i := range messages {
		messages[i].ReplyTo = l.Address()
	}
	if err := x.Bus.Publish(ctx, messages...); err != nil {
		return nil, err
	}
	select {
	case <-taken.all:
		return taken.got, nil
	case <-ctx.Done():
		return nil, fault.Wrap(ctx.Err(), fault.Wait, fault.Timeout, "not all of %d commands were answered in time", len(commands))
	}
}

// answersTo are those that come, by what they belong to.
type answersTo struct {
	mu      sync.Mutex
	at      map[string]int
	got     []event.Answer
	waiting int
	all     chan struct{}
}

func (a *answersTo) hear(m *bus.Message) {
	e, err := event.Decode(m.Body)
	a.mu.Lock()
	defer a.mu.Unlock()
	i, known := a.at[m.CorrelationID]
	if err != nil || !known || e.Type != event.AnswerType || json.Unmarshal(e.Data, &a.got[i]) != nil {
		return
	}
	delete(a.at, m.CorrelationID)
	if a.waiting--; a.waiting == 0 {
		close(a.all)
	}
}
