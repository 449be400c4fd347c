package client

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Commands publishes commands and waits for their answers. It is safe for concurrent use; one listener on the bus, opened
// by the first Send, takes the answers of all.
type Commands struct {
	bus    bus.Bus
	source string

	opening  sync.Mutex // held while the listener is opened or closed
	listener bus.Listener
	closed   bool

	mu      sync.Mutex
	waiting map[string]chan event.Envelope // by correlation id
}

// NewBus makes Commands that name source, a URI reference such as "/teams/notes", as their CloudEvents source. The bus
// stays the caller's.
func NewBus(b bus.Bus, source string) *Commands {
	return &Commands{bus: b, source: source, waiting: map[string]chan event.Envelope{}}
}

// SendOptions of one command; the zero value is good.
type SendOptions struct {
	// ID makes the command idempotent: sent again with the same, it is taken once. Empty draws a UUID of version 7.
	ID string
	// TraceParent is a W3C trace context to go on with.
	TraceParent string
}

// Send publishes a command for an environment, with data that its type describes (event.Create, ...), and waits for the
// answer. A command that was rejected is no error: Answer.Accepted is false and Answer.Error says why. When ctx ends
// first, the error is fault.Timeout or fault.Cancelled, and says whether the command may still be taken.
func (c *Commands) Send(ctx context.Context, command, environment string, data any, o SendOptions) (event.Answer, error) {
	message, id, err := c.message(command, environment, data, o)
	if err != nil {
		return event.Answer{}, err
	}
	if message.ReplyTo, err = c.listen(ctx); err != nil {
		return event.Answer{}, err
	}
	answers := make(chan event.Envelope, 1)
	c.expect(message.CorrelationID, answers)
	defer c.expect(message.CorrelationID, nil)
	if err := c.bus.Publish(ctx, message); err != nil {
		return event.Answer{}, unpublished(ctx, err, command, id)
	}
	select {
	case envelope := <-answers:
		return decodeAnswer(envelope, command)
	case <-ctx.Done():
		return event.Answer{}, unanswered(ctx, command, id)
	}
}

func (c *Commands) message(command, environment string, data any, o SendOptions) (bus.Message, string, error) {
	if o.ID == "" {
		id, err := uuid.NewV7()
		if err != nil {
			return bus.Message{}, "", fault.Wrap(err, fault.Retry, fault.Internal, "no id could be drawn for the command")
		}
		o.ID = id.String()
	}
	body, err := json.Marshal(data)
	if err != nil {
		return bus.Message{}, "", fault.Wrap(err, fault.Reject, fault.Invalid, "the data of %s can't be written as JSON: %v", command, err)
	}
	// The correlation is drawn anew, so that answers to an earlier sending of the same id are told apart.
	now, correlation := time.Now().UTC(), uuid.NewString()
	e := event.Envelope{
		SpecVersion: event.SpecVersion, ID: o.ID, Source: c.source, Type: event.TypeOf(command), Subject: environment,
		Time: &now, DataContentType: "application/json", TraceParent: o.TraceParent, CorrelationID: correlation, Data: body,
	}
	m := bus.Message{
		To: bus.Address{Exchange: bus.Commands, Key: command}, ID: correlation, Type: e.Type, ContentType: event.ContentType,
		CorrelationID: correlation, Body: e.Encode(),
	}
	if o.TraceParent != "" {
		m.Headers = map[string]string{"traceparent": o.TraceParent}
	}
	return m, o.ID, nil
}

// listen opens the listener when there is none, and returns the address of replies.
func (c *Commands) listen(ctx context.Context) (string, error) {
	c.opening.Lock()
	defer c.opening.Unlock()
	if c.closed {
		return "", fault.New(fault.GiveUp, fault.Unavailable, "the client of the bus is closed")
	}
	if c.listener == nil {
		listener, err := c.bus.Listen(ctx, nil, c.receive)
		if err != nil {
			return "", err
		}
		c.listener = listener
	}
	return c.listener.Address(), nil
}

// expect waits for an answer, or no longer when the channel is nil.
func (c *Commands) expect(correlation string, answers chan event.Envelope) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if answers == nil {
		delete(c.waiting, correlation)
		return
	}
	c.waiting[correlation] = answers
}

// receive hands an answer to who waits for it; what nobody waits for, or can't be read, is dropped.
func (c *Commands) receive(m *bus.Message) {
	envelope, err := event.Decode(m.Body)
	if err != nil {
		return
	}
	correlation := m.CorrelationID
	if correlation == "" {
		correlation = envelope.CorrelationID
	}
	c.mu.Lock()
	answers := c.waiting[correlation]
	c.mu.Unlock()
	select {
	case answers <- envelope:
	default: // nobody waits (nil), or a second copy
	}
}

func decodeAnswer(envelope event.Envelope, command string) (event.Answer, error) {
	var answer event.Answer
	if envelope.Type != event.AnswerType {
		return answer, fault.New(fault.GiveUp, fault.Unreadable, "the answer to %s has the type %q; server and client differ in version", command, envelope.Type)
	}
	if err := json.Unmarshal(envelope.Data, &answer); err != nil {
		return answer, fault.Wrap(err, fault.GiveUp, fault.Unreadable, "the answer to %s can't be read", command)
	}
	return answer, nil
}

// unpublished: the bus did not confirm the command.
func unpublished(ctx context.Context, err error, command, id string) error {
	if ctx.Err() == nil {
		return err
	}
	code := fault.From(ctx.Err()).Code
	return fault.Wrap(err, fault.Retry, code, "the bus has not confirmed the command %s with id %s: it may be there or not; "+
		"send it again with the same id, it is taken once", command, id)
}

// unanswered: the command is on the bus, and that is all that is known.
func unanswered(ctx context.Context, command, id string) error {
	code := fault.From(ctx.Err()).Code
	return fault.Wrap(ctx.Err(), fault.Retry, code, "no server has answered the command %s with id %s yet; it is on the bus and may "+
		"still be taken; send it again with the same id to get its answer", command, id)
}

// Close ends the listener. The bus is left open; commands that still wait, wait until their context ends.
func (c *Commands) Close(ctx context.Context) error {
	c.opening.Lock()
	defer c.opening.Unlock()
	c.closed = true
	if c.listener == nil {
		return nil
	}
	err := c.listener.Stop(ctx)
	if errors.Is(err, context.Canceled) {
		return fault.From(err)
	}
	return err
}
