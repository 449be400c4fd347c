package nats

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Send implements bus.Bus. Messages are published in the order of the calls.
func (b *Bus) Send(ctx context.Context, m bus.Message, done func(error)) error {
	if err := b.open(); err != nil {
		return err
	}
	if err := check(&m); err != nil {
		return err
	}
	subject, stored, err := route(m.To)
	if err != nil {
		return err
	}
	return b.out.send(ctx, encode(&m, subject, stored), stored, done)
}

// Publish implements bus.Bus. What was not confirmed when the connection was lost is sent again, from the first such
// message on, so that the order holds.
func (b *Bus) Publish(ctx context.Context, messages ...bus.Message) error {
	for i := range messages {
		if err := check(&messages[i]); err != nil {
			return err
		}
	}
	wait := firstBackoff
	for {
		confirmed, err := b.publishOnce(ctx, messages)
		messages = messages[confirmed:]
		if err == nil {
			return nil
		}
		if !errors.Is(err, errLost) && !errors.Is(err, errRefused) {
			return err
		}
		pause(ctx, wait)
		wait = min(2*wait, time.Second)
		if ctx.Err() != nil {
			return fault.Wrap(errors.Join(ctx.Err(), err), fault.Retry, fault.Unavailable, "the NATS server at %s did not confirm in time; what was sent may or may not be stored", b.address)
		}
	}
}

// publishOnce sends the messages and waits for all of them. It returns how many, from the first, are confirmed.
func (b *Bus) publishOnce(ctx context.Context, messages []bus.Message) (int, error) {
	if len(messages) == 0 {
		return 0, nil
	}
	r := &results{errs: make([]error, len(messages)), left: len(messages), over: make(chan struct{})}
	var sendErr error
	for i := range messages {
		if sendErr == nil {
			sendErr = b.Send(ctx, messages[i], func(err error) { r.set(i, err) })
		}
		if sendErr != nil {
			r.set(i, sendErr)
		}
	}
	select {
	case <-r.over:
		return r.first()
	case <-ctx.Done():
		return 0, fault.Wrap(ctx.Err(), fault.Retry, fault.Unavailable, "the NATS server at %s did not confirm in time; what was sent may or may not be stored", b.address)
	}
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
