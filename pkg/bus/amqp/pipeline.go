package amqp

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/bus/internal/driver"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/resilience"
)

// item is a message on its way to its confirm.
type item struct {
	m        *bus.Message
	weight   int64 // of the window; 0 for what did not have to wait for it
	done     func(error)
	returned bool
	at       time.Time // when it was written
}

// pipeline publishes, in the order in which it is given messages, on one channel, without waiting for one confirm
// before the next message. A writer sends, a confirmer takes the confirms.
type pipeline struct {
	link   *link
	window *semaphore.Weighted // of bytes; see weight
	limit  int                 // of messages that are written and not confirmed

	ctx    context.Context
	cancel context.CancelFunc
	ended  chan struct{}
	wake   chan struct{} // there is something to write, or room for it

	mu     sync.Mutex
	queue  []*item       // taken and not written
	sent   []*item       // written, in order, on the present channel
	idle   chan struct{} // closed when there is nothing in either; nil when nobody waits for that
	closed bool
}

func newPipeline(l *link, limit int) *pipeline {
	p := &pipeline{
		link: l, limit: limit,
		window: semaphore.NewWeighted(driver.InFlightBytes),
		ended:  make(chan struct{}),
		wake:   make(chan struct{}, 1),
	}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	go p.run()
	return p
}

// weight is what a message takes of the window: its share of the messages that fit or, when larger, its size.
func (p *pipeline) weight(m *bus.Message) int64 {
	return max(driver.InFlightBytes/int64(p.limit), int64(len(m.Body)))
}

// send takes a message when the window has room for it.
func (p *pipeline) send(ctx context.Context, m *bus.Message, done func(error)) error {
	w := p.weight(m)
	if !p.window.TryAcquire(w) {
		if err := p.window.Acquire(ctx, w); err != nil {
			return fault.Wrap(err, fault.Wait, fault.Unavailable, "too many messages wait for the broker at %s to confirm them", p.link.address)
		}
	}
	if !p.add(&item{m: m, weight: w, done: done}) {
		p.window.Release(w)
		return driver.ErrClosed
	}
	return nil
}

// add takes a message whatever the window says; false when the pipeline is closed.
func (p *pipeline) add(it *item) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.queue = append(p.queue, it)
	p.nudge()
	return true
}

func (p *pipeline) nudge() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// close takes nothing more and waits until all is confirmed or ctx ends, when the rest is reported as lost.
func (p *pipeline) close(ctx context.Context) error {
	p.mu.Lock()
	p.closed = true
	idle := make(chan struct{})
	if len(p.queue)+len(p.sent) == 0 {
		close(idle)
	} else {
		p.idle = idle
	}
	p.mu.Unlock()
	var err error
	select {
	case <-idle:
	case <-ctx.Done():
		err = ctx.Err()
	}
	p.cancel()
	<-p.ended
	return err
}

// finish reports an item that is out of queue and sent, and makes room.
func (p *pipeline) finish(it *item, err error) {
	if it.weight > 0 {
		p.window.Release(it.weight)
	}
	it.done(err)
}

// settle is called when an item has left: it tells the writer that there is room, and close that nothing is left.
func (p *pipeline) settle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.nudge()
	if p.idle != nil && len(p.queue)+len(p.sent) == 0 {
		close(p.idle)
		p.idle = nil
	}
}

// run publishes on one channel after the other.
func (p *pipeline) run() {
	defer close(p.ended)
	for p.ctx.Err() == nil {
		s, err := p.openSession()
		if err == nil {
			s.run()
		} else if p.ctx.Err() == nil {
			_ = resilience.Pause(p.ctx, driver.FirstBackoff) // a connection that gives no channel is about to be replaced
		}
	}
	p.fail(driver.ErrClosed)
}

// fail reports everything that is under way.
func (p *pipeline) fail(err error) {
	p.mu.Lock()
	all := append(p.sent, p.queue...)
	p.sent, p.queue = nil, nil
	p.mu.Unlock()
	for _, it := range all {
		p.finish(it, err)
	}
	p.settle()
}
