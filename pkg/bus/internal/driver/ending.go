package driver

import (
	"context"
	"sync"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Ending is the end of a consumer: Stop waits for its handler, the closing bus for its last channel too.
type Ending struct {
	// Ctx ends with Stop.
	Ctx context.Context
	// Stopped is closed by the consumer when the handler has returned for the last time, Over when the last channel is given up.
	Stopped, Over chan struct{}
	// Closing is closed when the bus closes: nothing is settled any more.
	Closing chan struct{}

	what   string
	cancel context.CancelFunc
	once   sync.Once
}

// NewEnding makes the end of what has a handler; errors call it what.
func NewEnding(what string) *Ending {
	e := &Ending{Stopped: make(chan struct{}), Over: make(chan struct{}), Closing: make(chan struct{}), what: what}
	e.Ctx, e.cancel = context.WithCancel(context.Background())
	return e
}

// Cancel ends Ctx.
func (e *Ending) Cancel() { e.cancel() }

// Stop implements bus.Subscription.
func (e *Ending) Stop(ctx context.Context) error { return e.Shut(ctx) }

// Shut implements Closer.
func (e *Ending) Shut(ctx context.Context) error {
	e.cancel()
	return Handled(ctx, e.Stopped, e.what)
}

// Handled waits until a handler has stopped.
func Handled(ctx context.Context, stopped <-chan struct{}, what string) error {
	select {
	case <-stopped:
		return nil
	case <-ctx.Done():
		return fault.Wrap(ctx.Err(), fault.GiveUp, fault.Timeout, "the handler of %s still runs", what)
	}
}

// Finish implements Closer.
func (e *Ending) Finish() {
	e.once.Do(func() { close(e.Closing) })
	select {
	case <-e.Stopped: // else the handler does not return; the connection's end is all that can be done
		<-e.Over
	default:
	}
}
