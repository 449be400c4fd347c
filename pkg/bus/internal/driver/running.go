package driver

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Closer is a consumer or a listener. Close ends it in two steps, since between them what it had published is confirmed, and that
// may settle deliveries.
type Closer interface {
	// Shut ends deliveries and waits for the handler until ctx ends.
	Shut(ctx context.Context) error
	// Finish writes what was settled to the broker and lets go of the rest, which the broker delivers again.
	Finish()
}

// Running is what a bus runs until it is closed. It is safe for concurrent use.
type Running[C interface {
	comparable
	Closer
}] struct {
	mu      sync.Mutex
	all     map[C]struct{}
	closing bool
	closed  chan struct{} // closed when Close is over
}

// NewRunning makes the register of an open bus.
func NewRunning[C interface {
	comparable
	Closer
}]() *Running[C] {
	return &Running[C]{all: map[C]struct{}{}, closed: make(chan struct{})}
}

// Open is ErrClosed once Close has begun.
func (r *Running[C]) Open() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closing {
		return ErrClosed
	}
	return nil
}

// Add keeps c to be shut by Close.
func (r *Running[C]) Add(c C) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closing {
		return ErrClosed
	}
	r.all[c] = struct{}{}
	return nil
}

// Remove forgets c, which has ended by itself.
func (r *Running[C]) Remove(c C) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.all, c)
}

// All are those that run.
func (r *Running[C]) All() []C {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Collect(maps.Keys(r.all))
}

// begin is true for the first who closes.
func (r *Running[C]) begin() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	first := !r.closing
	r.closing = true
	return first
}

// Steps are what a driver does when it is closed, beside ending what runs.
type Steps struct {
	Begin func()                      // may be nil
	Drain func(context.Context) error // waits until what was published is confirmed
	End   func()                      // lets go of the connections
}

// Close is bus.Bus's. Who calls it again waits for the first.
func (r *Running[C]) Close(ctx context.Context, s Steps) error {
	if !r.begin() {
		select {
		case <-r.closed:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	defer close(r.closed)
	if s.Begin != nil {
		s.Begin()
	}
	running := r.All()
	var all error
	for _, c := range running {
		all = errors.Join(all, c.Shut(ctx))
	}
	all = errors.Join(all, s.Drain(ctx))
	for _, c := range running {
		c.Finish()
	}
	s.End()
	if all != nil {
		return fault.Wrap(all, fault.GiveUp, fault.Timeout, "the bus was closed before everything was handled and confirmed")
	}
	return nil
}
