package amqp

import (
	"context"
	"crypto/rand"
	"log/slog"
	"slices"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/bus/internal/driver"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/resilience"
)

// listener is a bus.Listener: a queue with a name that nobody can guess, which outlives a lost connection by a minute.
// It is not exclusive, since a connection that died without a word would keep an exclusive one locked.
type listener struct {
	b      *Bus
	queue  string
	topics []bus.Address
	handle func(*bus.Message)
	log    *slog.Logger

	ctx     context.Context
	cancel  context.CancelFunc
	stopped chan struct{}
}

// Listen implements bus.Bus.
func (b *Bus) Listen(ctx context.Context, topics []bus.Address, handle func(*bus.Message)) (bus.Listener, error) {
	l := &listener{b: b, queue: "vivarium.listener." + rand.Text(), topics: topics, handle: handle, stopped: make(chan struct{})}
	l.log = b.o.Log.With("queue", l.queue)
	l.ctx, l.cancel = context.WithCancel(context.Background())
	if err := b.running.Add(l); err != nil {
		return nil, err
	}
	s, err := l.open(ctx)
	if err != nil {
		b.running.Remove(l)
		l.cancel()
		return nil, err
	}
	go l.run(s)
	return l, nil
}

// open makes the queue, if it is not there any more, and consumes from it.
func (l *listener) open(ctx context.Context) (*stream, error) {
	s, err := l.b.consume.stream(ctx)
	if err != nil {
		return nil, err
	}
	if err := l.consume(s); err != nil {
		s.end()
		return nil, err
	}
	return s, nil
}

func (l *listener) consume(s *stream) (err error) {
	if _, err := s.ch.QueueDeclare(l.queue, true, false, false, false, amqp091.Table{amqp091.QueueTTLArg: int64(listenerExpiry)}); err != nil {
		return refusal(err, "queue", l.queue)
	}
	for _, topic := range l.topics {
		if err := l.bind(s.ch, topic); err != nil {
			return err
		}
	}
	if s.deliveries, err = s.ch.Consume(l.queue, consumerTag, true, false, false, false, nil); err != nil {
		return driver.Unavailable(err, "listening failed")
	}
	return nil
}

// bind makes our own exchanges, too: who listens may be there before the first server.
func (l *listener) bind(ch *amqp091.Channel, topic bus.Address) error {
	if slices.Contains(driver.Exchanges, topic.Exchange) {
		if err := ch.ExchangeDeclare(topic.Exchange, amqp091.ExchangeTopic, true, false, false, false, nil); err != nil {
			return refusal(err, "exchange", topic.Exchange)
		}
	}
	err := ch.QueueBind(l.queue, topic.Key, topic.Exchange, false, nil)
	switch {
	case err == nil:
		return nil
	case code(err) == amqp091.NotFound:
		return fault.Wrap(err, fault.GiveUp, fault.NotFound, "there is no exchange %q on the broker", topic.Exchange)
	default:
		return refusal(err, "binding to", topic.Exchange)
	}
}

func (l *listener) run(s *stream) {
	defer close(l.stopped)
	defer l.b.running.Remove(l)
	for s != nil {
		l.serve(s)
		if l.ctx.Err() != nil {
			_, _ = s.ch.QueueDelete(l.queue, false, false, false)
			s.end()
			return
		}
		s.end()
		s = l.reopen()
	}
}

func (l *listener) reopen() *stream {
	for wait := driver.FirstBackoff; ; wait = min(2*wait, driver.LastBackoff) {
		s, err := l.open(l.ctx)
		if err == nil {
			return s
		}
		if l.ctx.Err() != nil {
			return nil
		}
		l.log.Warn("can't listen yet; trying again", "error", err)
		_ = resilience.Pause(l.ctx, wait)
	}
}

func (l *listener) serve(s *stream) {
	for l.ctx.Err() == nil {
		select {
		case d, ok := <-s.deliveries:
			if !ok {
				return
			}
			l.handle(decode(&d))
		case <-s.cancelled:
			return
		case <-s.conn.retired:
			l.move(s)
			return
		case <-l.ctx.Done():
			return
		}
	}
}

// move takes what the broker has sent already, which it would not send again, and leaves the queue to the next connection.
func (l *listener) move(s *stream) {
	if s.ch.Cancel(consumerTag, false) != nil {
		return
	}
	for d := range s.deliveries {
		l.handle(decode(&d))
	}
}

// Address implements bus.Listener.
func (l *listener) Address() string { return l.queue }

// Stop implements bus.Subscription.
func (l *listener) Stop(ctx context.Context) error { return l.Shut(ctx) }

// Shut implements driver.Closer.
func (l *listener) Shut(ctx context.Context) error {
	l.cancel()
	return driver.Handled(ctx, l.stopped, "a listener")
}

// Finish implements driver.Closer: there is nothing that a listener owes the broker.
func (l *listener) Finish() {}
