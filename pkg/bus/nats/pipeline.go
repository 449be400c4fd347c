package nats

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	client "github.com/nats-io/nats.go"
	"golang.org/x/sync/semaphore"

	"github.com/vivarium-env/vivarium/pkg/bus/internal/driver"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// item is a message on its way to its confirm.
type item struct {
	m      *client.Msg
	stored bool  // JetStream confirms it; else it is confirmed when the server has read it
	weight int64 // of the window; 0 for what did not have to wait for it
	at     time.Time
	done   func(error)
}

// pipeline publishes, in the order in which it is given messages, without waiting for one confirm before the next
// message. Confirms come to one inbox of its own, each with the number of its message.
type pipeline struct {
	b      *Bus
	window *semaphore.Weighted // of bytes; see weight
	limit  int
	inbox  string

	wake  chan struct{} // there is something to flush
	stop  chan struct{}
	ended sync.WaitGroup

	mu     sync.Mutex
	ready  bool
	closed bool
	next   uint64
	queue  []*item          // taken while there is no connection
	sent   map[uint64]*item // written and not confirmed
	core   []*item          // written, not stored, and not flushed
	idle   chan struct{}    // closed when there is nothing in any of them; nil when nobody waits for that
	busy   int              // items of core that are being flushed
}

func newPipeline(b *Bus, limit int) *pipeline {
	p := &pipeline{
		b: b, limit: limit,
		window: semaphore.NewWeighted(driver.InFlightBytes),
		inbox:  client.NewInbox() + ".",
		wake:   make(chan struct{}, 1),
		stop:   make(chan struct{}),
		sent:   map[uint64]*item{},
	}
	p.ended.Go(p.flush)
	p.ended.Go(p.watch)
	return p
}

func (p *pipeline) subscribe() error {
	sub, err := p.b.nc.Subscribe(p.inbox+"*", p.confirm)
	if err != nil {
		return driver.Unavailable(err, "the NATS server at %s gives no subscription", p.b.address)
	}
	return sub.SetPendingLimits(-1, -1) // bounded by the window
}

// weight is what a message takes of the window: its share of the messages that fit or, when larger, its size.
func (p *pipeline) weight(m *client.Msg) int64 {
	return max(driver.InFlightBytes/int64(p.limit), int64(len(m.Data)))
}

// send takes a message when the window has room for it.
func (p *pipeline) send(ctx context.Context, m *client.Msg, stored bool, done func(error)) error {
	w := p.weight(m)
	if !p.window.TryAcquire(w) {
		if err := p.window.Acquire(ctx, w); err != nil {
			return fault.Wrap(err, fault.Wait, fault.Unavailable, "too many messages wait for the NATS server at %s to confirm them", p.b.address)
		}
	}
	if err := p.add(&item{m: m, stored: stored, weight: w, done: done}); err != nil {
		p.window.Release(w)
		return err
	}
	return nil
}

// add takes a message whatever the window says, unless there is an error.
func (p *pipeline) add(it *item) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return driver.ErrClosed
	}
	if !p.ready {
		p.queue = append(p.queue, it)
		return nil
	}
	return p.write(it)
}

// write hands a message to the connection. An error means that the message can't be sent at all; a connection that is
// down is not one, since down is about to be called for it.
func (p *pipeline) write(it *item) error {
	if it.stored {
		p.next++
		it.at = time.Now()
		it.m.Reply = p.inbox + strconv.FormatUint(p.next, 36)
	}
	err := p.b.nc.PublishMsg(it.m)
	if errors.Is(err, client.ErrMaxPayload) || errors.Is(err, client.ErrBadSubject) || errors.Is(err, client.ErrHeadersNotSupported) || errors.Is(err, client.ErrBadHeaderMsg) {
		return fault.Wrap(err, fault.Reject, fault.Invalid, "the NATS server does not take such a message: %v", err)
	}
	if it.stored {
		p.sent[p.next] = it
		return nil
	}
	p.core = append(p.core, it)
	select {
	case p.wake <- struct{}{}:
	default:
	}
	return nil
}

// up sends what was taken while there was no connection.
func (p *pipeline) up() {
	p.mu.Lock()
	var bad []func()
	p.ready = true
	queue := p.queue
	p.queue = nil
	for _, it := range queue {
		if err := p.write(it); err != nil {
			bad = append(bad, func() { p.finish(it, err) })
		}
	}
	p.mu.Unlock()
	for _, report := range bad {
		report()
	}
	p.settle()
}

// down reports what was sent, of which nobody will say any more whether it is stored.
func (p *pipeline) down() {
	p.mu.Lock()
	p.ready = false
	sent := p.sent
	p.sent = map[uint64]*item{}
	p.mu.Unlock()
	for _, it := range sent {
		p.finish(it, driver.ErrLost)
	}
	p.settle()
}

// finish reports an item that is in none of the lists any more, and makes room.
func (p *pipeline) finish(it *item, err error) {
	if it.weight > 0 {
		p.window.Release(it.weight)
	}
	it.done(err)
}

// settle tells close when nothing is left.
func (p *pipeline) settle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.idle != nil && p.empty() {
		close(p.idle)
		p.idle = nil
	}
}

func (p *pipeline) empty() bool { return len(p.queue)+len(p.sent)+len(p.core)+p.busy == 0 }

// close takes nothing more and waits until all is confirmed or ctx ends, when the rest is reported as lost.
func (p *pipeline) close(ctx context.Context) error {
	p.mu.Lock()
	p.closed = true
	idle := make(chan struct{})
	if p.empty() {
		close(idle)
	} else {
		p.idle = idle
	}
	p.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// end reports what is left once the connection is closed.
func (p *pipeline) end() {
	close(p.stop)
	p.ended.Wait()
	p.mu.Lock()
	left := append(p.queue, p.core...)
	for _, it := range p.sent {
		left = append(left, it)
	}
	p.queue, p.core, p.sent = nil, nil, map[uint64]*item{}
	p.mu.Unlock()
	for _, it := range left {
		p.finish(it, driver.ErrClosed)
	}
}
