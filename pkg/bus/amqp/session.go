package amqp

import (
	"strings"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/vivarium-env/vivarium/pkg/bus/internal/driver"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// session is the life of one publishing channel.
type session struct {
	p        *pipeline
	conn     *connection
	ch       *amqp091.Channel
	confirms chan amqp091.Confirmation
	returns  chan amqp091.Return
	lost     chan *amqp091.Error
	known    map[string]bool // exchanges that are there
}

func (p *pipeline) openSession() (*session, error) {
	conn, err := p.link.hold(p.ctx)
	if err != nil {
		return nil, err
	}
	ch, err := conn.Channel()
	if err == nil {
		err = ch.Confirm(false)
	}
	if err != nil {
		conn.release()
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

// run writes until the channel ends, and then reports what is unconfirmed. Nothing is where the connection was only replaced.
func (s *session) run() {
	defer s.conn.release()
	confirmed := make(chan struct{})
	go func() { defer close(confirmed); s.confirm() }()
	why := s.write()
	_ = s.ch.Close()
	<-confirmed
	if why != nil {
		s.p.fail(why)
	}
}

// write sends what comes until the channel or the pipeline ends, and returns how to report what is left; nil when the connection
// has a successor and the broker has confirmed all that was written on this one, so that the order holds.
func (s *session) write() error {
	tick := time.NewTicker(confirmTimeout / 4)
	defer tick.Stop()
	retired := s.conn.retired
	for {
		if err := s.flush(); err != nil {
			return s.reason(nil)
		}
		if s.conn.isRetired() && s.p.confirmed() {
			return nil
		}
		select {
		case <-retired:
			retired = nil // once; from now on only confirms are waited for
		case <-s.p.wake:
		case why := <-s.lost:
			return s.reason(why)
		case now := <-tick.C:
			if s.p.overdue(now.Add(-confirmTimeout)) {
				s.p.link.log.Warn("the broker does not confirm what it was sent; publishing anew")
				return driver.ErrLost
			}
		case <-s.p.ctx.Done():
			return driver.ErrClosed
		}
	}
}

// flush writes what is taken and has room, unless the connection has a successor.
func (s *session) flush() error {
	for !s.conn.isRetired() {
		it := s.p.next()
		if it == nil {
			return nil
		}
		if err := s.publish(it); err != nil {
			return err
		}
	}
	return nil
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
	return driver.ErrLost
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

// confirmed tells whether nothing is written and not confirmed.
func (p *pipeline) confirmed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.sent) == 0
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
		return declareRetry(s.conn.Connection, name)
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
		return driver.Unavailable(err, "looking for the exchange %q failed", name)
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
			s.p.finish(it, driver.ErrRefused)
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
