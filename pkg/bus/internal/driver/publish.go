package driver

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/resilience"
)

// Publisher publishes until everything is confirmed.
type Publisher struct {
	// Peer is who confirms, as errors call it: "broker at HOST:PORT".
	Peer string
	// Check refuses a message that can't be sent at all.
	Check func(*bus.Message) error
	// Send is the driver's: it takes a message, and reports once what became of it.
	Send func(ctx context.Context, m bus.Message, done func(error)) error
}

// Publish is bus.Bus's. What was not confirmed when the connection was lost is sent again, from the first such message on, so
// that the order holds.
func (p Publisher) Publish(ctx context.Context, messages ...bus.Message) error {
	for i := range messages {
		if err := p.Check(&messages[i]); err != nil {
			return err
		}
	}
	wait := FirstBackoff
	for {
		confirmed, err := p.once(ctx, messages)
		messages = messages[confirmed:]
		if err == nil {
			return nil
		}
		if !errors.Is(err, ErrLost) && !errors.Is(err, ErrRefused) {
			return err
		}
		_ = resilience.Pause(ctx, wait)
		wait = min(2*wait, time.Second)
		if ctx.Err() != nil {
			return p.unconfirmed(errors.Join(ctx.Err(), err))
		}
	}
}

// once sends the messages and waits for all of them. It returns how many, from the first, are confirmed.
func (p Publisher) once(ctx context.Context, messages []bus.Message) (int, error) {
	if len(messages) == 0 {
		return 0, nil
	}
	r := &results{errs: make([]error, len(messages)), left: len(messages), over: make(chan struct{})}
	var sendErr error
	for i := range messages {
		if sendErr == nil {
			sendErr = p.Send(ctx, messages[i], func(err error) { r.set(i, err) })
		}
		if sendErr != nil {
			r.set(i, sendErr)
		}
	}
	select {
	case <-r.over:
		return r.first()
	case <-ctx.Done():
		return 0, p.unconfirmed(ctx.Err())
	}
}

func (p Publisher) unconfirmed(cause error) error {
	return fault.Wrap(cause, fault.Retry, fault.Unavailable, "the %s did not confirm in time; what was sent may or may not be stored", p.Peer)
}

// results gathers what became of several messages.
type results struct {
	mu   sync.Mutex
	errs []error
	left int
	over chan struct{} // closed when none is left
}

func (r *results) set(i int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errs[i] = err
	if r.left--; r.left == 0 {
		close(r.over)
	}
}

// first is the first error, and its place.
func (r *results) first() (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, err := range r.errs {
		if err != nil {
			return i, err
		}
	}
	return len(r.errs), nil
}
