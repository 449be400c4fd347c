package amqp

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/bus/internal/driver"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/resilience"
)

// handOver is how long the queue of a partition stays with a stopped consumer that still owes acknowledgements, so
// that its successor starts where it ended.
const handOver = 2 * time.Second

// consumer is a bus.Subscription that outlives its channels.
type consumer struct {
	b      *Bus
	o      bus.ConsumeOptions
	handle func(bus.Delivery)
	log    *slog.Logger

	*driver.Ending
}

// Consume implements bus.Bus.
func (b *Bus) Consume(ctx context.Context, o bus.ConsumeOptions, handle func(bus.Delivery)) (bus.Subscription, error) {
	if err := driver.CheckPrefetch(o.Prefetch); err != nil {
		return nil, err
	}
	c := &consumer{
		b: b, o: o, handle: handle,
		log:    b.o.Log.With("queue", o.Queue),
		Ending: driver.NewEnding(fmt.Sprintf("queue %q", o.Queue)),
	}
	if err := b.running.Add(c); err != nil {
		return nil, err
	}
	s, err := c.open(ctx)
	if err != nil {
		b.running.Remove(c)
		c.Cancel()
		return nil, err
	}
	go c.run(s)
	return c, nil
}

// stream is one channel of a consumer.
type stream struct {
	conn       *connection
	ch         *amqp091.Channel
	deliveries <-chan amqp091.Delivery
	lost       chan *amqp091.Error
	cancelled  chan string // the broker ended the consumer, for instance with its queue
	ledger     *ledger
}

const consumerTag = "vivarium"

func (c *consumer) open(ctx context.Context) (*stream, error) {
	s, err := c.b.consume.stream(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.consume(s); err != nil {
		s.end()
		return nil, err
	}
	return s, nil
}

func (c *consumer) consume(s *stream) (err error) {
	if err := s.ch.Qos(c.o.Prefetch, 0, false); err != nil {
		return driver.Unavailable(err, "consuming from %q failed", c.o.Queue)
	}
	s.deliveries, err = s.ch.Consume(c.o.Queue, consumerTag, false, false, false, false, nil)
	switch {
	case err == nil:
		s.ledger = newLedger(s.ch)
		return nil
	case code(err) == amqp091.NotFound:
		return fault.Wrap(err, fault.GiveUp, fault.NotFound, "there is no queue %q on the broker; has a server declared it?", c.o.Queue)
	case code(err) == amqp091.AccessRefused:
		return fault.Wrap(err, fault.GiveUp, fault.Invalid, "the broker does not let the bus's user read the queue %q", c.o.Queue)
	default:
		return driver.Unavailable(err, "consuming from %q failed", c.o.Queue)
	}
}

// run hands out deliveries, from one channel after the other, until Stop.
func (c *consumer) run(s *stream) {
	defer close(c.Over)
	defer c.b.running.Remove(c)
	for s != nil {
		c.serve(s)
		if c.Ctx.Err() != nil {
			break
		}
		s.end()
		if c.o.Lost != nil {
			c.o.Lost()
		}
		s = c.reopen()
	}
	close(c.Stopped)
	if s != nil {
		c.retire(s)
		s.end()
	}
}

// reopen tries until there is a channel, or Stop; then it is nil.
func (c *consumer) reopen() *stream {
	for wait := driver.FirstBackoff; ; wait = min(2*wait, driver.LastBackoff) {
		s, err := c.open(c.Ctx)
		if err == nil {
			return s
		}
		if c.Ctx.Err() != nil {
			return nil
		}
		c.log.Warn("can't consume yet; trying again", "error", err)
		_ = resilience.Pause(c.Ctx, wait)
	}
}

// serve hands out what comes on one channel until it ends or Stop. What the client still holds of an ended channel is
// not handed out: the broker delivers it again.
func (c *consumer) serve(s *stream) {
	for {
		select {
		case <-c.Ctx.Done():
			return
		case <-s.lost:
			return
		case queue := <-s.cancelled:
			c.log.Warn("the broker ended the consumer", "consumer", queue)
			return
		case <-s.conn.retired:
			c.move(s)
			return
		default:
		}
		select {
		case d, ok := <-s.deliveries:
			if !ok {
				return
			}
			if c.Ctx.Err() != nil || s.ch.IsClosed() {
				return // not in the ledger, so it goes back with the channel
			}
			c.hand(s, &d)
		case <-c.Ctx.Done():
			return
		case <-s.lost:
			return
		case <-s.cancelled:
			return
		case <-s.conn.retired:
			c.move(s)
			return
		}
	}
}

func (c *consumer) hand(s *stream, d *amqp091.Delivery) {
	one := newDelivery(c, s.ledger, d)
	s.ledger.add(one)
	c.handle(one)
}

// move lets go of the channel of a connection that has a successor, once what was handed out is settled, if that is soon: then none
// of it is delivered again. What was delivered and not handed out is so now, too, but for a partition, whose queue would pass
// to another server meanwhile: there it goes back in order.
func (c *consumer) move(s *stream) {
	if !isPartition(c.o.Queue) && s.ch.Cancel(consumerTag, false) == nil {
		for d := range s.deliveries {
			c.hand(s, &d)
		}
	}
	grace := time.NewTimer(handOver)
	defer grace.Stop()
	select {
	case <-s.ledger.quiet():
	case <-s.ledger.ended:
	case <-c.Ctx.Done():
		return
	case <-c.Closing:
		return
	case <-grace.C:
	}
	s.close()
}

// retire lets go of the channel of a stopped consumer. What was handed out may still be acknowledged on it, what was not
// goes back to the queue. For a partition it goes back only with the whole channel, if what was handed out is settled soon:
// a successor that got the queue before that would be given younger messages first.
func (c *consumer) retire(s *stream) {
	if isPartition(c.o.Queue) {
		grace := time.NewTimer(handOver)
		defer grace.Stop()
		select {
		case <-s.ledger.quiet():
			s.close()
			return
		case <-c.Closing:
			s.close()
			return
		case <-grace.C:
		case <-s.ledger.ended:
		}
	}
	if s.ch.Cancel(consumerTag, false) == nil {
		for d := range s.deliveries {
			_ = s.ch.Nack(d.DeliveryTag, false, true)
		}
	}
	close(s.ledger.retired)
	select {
	case <-s.ledger.ended:
	case <-c.Closing:
	}
	s.close()
}

// end gives up the channel, and lets the connection go.
func (s *stream) end() {
	_ = s.ch.Close()
	s.conn.release()
}

// close writes what is settled and ends the channel.
func (s *stream) close() {
	s.ledger.end(context.Background())
	_ = s.ch.Close()
}
