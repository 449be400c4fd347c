package amqp

import (
	"context"
	"strings"
	"sync"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"golang.org/x/sync/semaphore"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/fault"
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
		window: semaphore.NewWeighted(inFlightBytes),
		ended:  make(chan struct{}),
		wake:   make(chan struct{}, 1),
	}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	go p.run()
	return p
}

// weight is what a message takes of the window: its share of the messages that fit or, when larger, its size.
func (p *pipeline) weight(m *bus.Message) int64 {
	return max(inFlightBytes/int64(p.limit), int64(len(m.Body)))
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
		return errClosed
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
			pause(p.ctx, firstBackoff) // a connection that gives no channel is about to be replaced
		}
	}
	p.fail(errClosed)
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

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// session is the life of one publishing channel.
type session struct {
	p        *pipeline
	conn     *amqp091.Connection
	ch       *amqp091.Channel
	confirms chan amqp091.Confirmation
	returns  chan amqp091.Return
	lost     chan *amqp091.Error
	known    map[string]bool // exchanges that are there
}

func (p *pipeline) openSession() (*session, error) {
	conn, err := p.link.get(p.ctx)
	if err != nil {
		return nil, err
	}
	ch, err := conn.Channel()
	if err != nil {
		return nil, err
	}
	if err := ch.Confirm(false); err != nil {
		return nil, err
	}
	return &session{
		p: p, conn: conn, ch: ch,
		// As large as all that is unconfirmed: the client's reader never waits for us.
		confirms: ch.NotifyPublish(make(chan amqp091.Confirmation, p.limit)),
		returns:  ch.NotifyReturn(make(chan amqp091.Return, p.limit)),
		lost:     ch.NotifyClose(make(chan *amqp091.Error, 1)),
		known:    map[string]bool{"": true},
	}, nil
}

// run writes until the channel ends, and then reports what is unconfirmed.
func (s *session) run() {
	confirmed := make(chan struct{})
	go func() { defer close(confirmed); s.confirm() }()
	why := s.write()
	_ = s.ch.Close()
	<-confirmed
	s.p.fail(why)
}

// write sends what comes until the channel or the pipeline ends, and returns how to report what is left.
func (s *session) write() error {
	tick := time.NewTicker(confirmTimeout / 4)
	defer tick.Stop()
	for {
		for it := s.p.next(); it != nil; it = s.p.next() {
			if err := s.publish(it); err != nil {
				return s.reason(nil)
			}
		}
		select {
		case <-s.p.wake:
		case why := <-s.lost:
			return s.reason(why)
		case now := <-tick.C:
			if s.p.overdue(now.Add(-confirmTimeout)) {
				s.p.link.log.Warn("the broker does not confirm what it was sent; publishing anew")
				return errLost
			}
		case <-s.p.ctx.Done():
			return errClosed
		}
	}
}

// reason tells a lost connection from a broker that ended only this channel: the same messages would end the next one.
func (s *session) reason(why *amqp091.Error) error {
	if why == nil {
		select {
		case why = <-s.lost:
		default:
		}
	}
	if why != nil && why.Server && why.Code >= 400 && why.Code < 500 && !s.conn.IsClosed() {
		return fault.Wrap(why, fault.GiveUp, fault.Unavailable, "the broker refused a message: %s", why.Reason)
	}
	return errLost
}

// next moves the next message from taken to written, if there is one and room for it.
func (p *pipeline) next() *item {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.queue) == 0 || len(p.sent) >= p.limit {
		return nil
	}
	it := p.queue[0]
	p.queue[0] = nil
	p.queue = p.queue[1:]
	it.at = time.Now()
	p.sent = append(p.sent, it)
	return it
}

// overdue tells whether the oldest confirm should have come by now. A queue that has just lost its leader may have lost a
// message, too, without the connection being lost; all later confirms would wait for that one.
func (p *pipeline) overdue(since time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.sent) > 0 && p.sent[0].at.Before(since)
}

// publish writes one message; an error ends the session.
func (s *session) publish(it *item) error {
	to := it.m.To
	if !s.known[to.Exchange] {
		if err := s.exchange(to.Exchange); err != nil {
			if s.conn.IsClosed() {
				return err
			}
			s.p.drop(it)
			s.p.finish(it, err)
			s.p.settle()
			return nil
		}
		s.known[to.Exchange] = true
	}
	// Mandatory for queues: a message to one that is not there comes back. A topic may well have no subscriber.
	mandatory := to.Exchange == "" || strings.HasPrefix(to.Exchange, retryExchange)
	return s.ch.PublishWithContext(s.p.ctx, to.Exchange, to.Key, mandatory, false, encode(it.m))
}

// exchange looks whether an exchange is there (publishing to one that is not would end the channel), and makes those of
// delayed messages.
func (s *session) exchange(name string) error {
	if strings.HasPrefix(name, retryExchange) {
		return declareRetry(s.conn, name)
	}
	ch, err := s.conn.Channel()
	if err != nil {
		return err
	}
	defer func() { _ = ch.Close() }()
	err = ch.ExchangeDeclarePassive(name, amqp091.ExchangeTopic, true, false, false, false, nil)
	switch {
	case err == nil:
		return nil
	case code(err) == amqp091.NotFound:
		return fault.Wrap(err, fault.GiveUp, fault.NotFound, "there is no exchange %q on the broker; has a server declared it?", name)
	default:
		return unavailable(err, "looking for the exchange %q failed", name)
	}
}

// drop takes back the item that next returned last.
func (p *pipeline) drop(it *item) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.sent); n > 0 && p.sent[n-1] == it {
		p.sent = p.sent[:n-1]
	}
}

// confirm takes the confirms, which the client puts into the order of publishing, until the channel ends.
func (s *session) confirm() {
	for c := range s.confirms {
		s.takeReturns()
		it := s.p.oldest()
		if it == nil {
			continue
		}
		switch {
		case it.returned:
			s.p.finish(it, fault.New(fault.GiveUp, fault.NotFound, "there is no queue %q on the broker", it.m.To.Key))
		case !c.Ack:
			s.p.finish(it, errRefused)
		default:
			s.p.finish(it, nil)
		}
		s.p.settle()
	}
}

func (p *pipeline) oldest() *item {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.sent) == 0 {
		return nil
	}
	it := p.sent[0]
	p.sent[0] = nil
	p.sent = p.sent[1:]
	return it
}

// takeReturns marks the messages that came back. The broker returns a message before it confirms it, and in the order
// of publishing, so a returned one is the first unmarked with its key and id.
func (s *session) takeReturns() {
	for {
		select {
		case r, ok := <-s.returns:
			if !ok {
				return
			}
			s.p.markReturned(r)
		default:
			return
		}
	}
}

func (p *pipeline) markReturned(r amqp091.Return) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, it := range p.sent {
		if !it.returned && it.m.To.Key == r.RoutingKey && it.m.To.Exchange == r.Exchange && it.m.ID == r.MessageId {
			it.returned = true
			return
		}
	}
}
