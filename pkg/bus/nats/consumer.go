package nats

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/bus/internal/driver"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/resilience"
)

// errWaiting: the queue of a partition has another consumer.
var errWaiting = errors.New("the queue has another consumer")

// consumer is a bus.Subscription that outlives its sessions.
type consumer struct {
	b      *Bus
	o      bus.ConsumeOptions
	handle func(bus.Delivery)
	log    *slog.Logger
	name   string // of the consumer on the server, for the queue of a partition: of the last one made

	*driver.Ending

	mu      sync.Mutex
	session *session
}

// Consume implements bus.Bus. Of the queue of a partition, somebody else may be the consumer; then this one waits.
func (b *Bus) Consume(ctx context.Context, o bus.ConsumeOptions, handle func(bus.Delivery)) (bus.Subscription, error) {
	if err := driver.CheckPrefetch(o.Prefetch); err != nil {
		return nil, err
	}
	if streamOf(o.Queue) == "" {
		return nil, fault.New(fault.GiveUp, fault.NotFound, "there is no queue %q on the bus", o.Queue)
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
	if err != nil && !errors.Is(err, errWaiting) {
		b.running.Remove(c)
		c.Cancel()
		return nil, err
	}
	go c.run(s)
	return c, nil
}

// open starts a session when there is a connection.
func (c *consumer) open(ctx context.Context) (*session, error) {
	if err := c.b.wait(ctx); err != nil {
		return nil, err
	}
	s := newSession(c)
	c.mu.Lock()
	c.session = s
	c.mu.Unlock()
	start := s.share
	if isPartition(c.o.Queue) {
		start = s.own
	}
	if err := start(ctx); err != nil {
		s.end()
		return nil, err
	}
	return s, nil
}

// run hands out deliveries, from one session after the other, until Stop.
func (c *consumer) run(s *session) {
	defer close(c.Over)
	defer c.b.running.Remove(c)
	if s == nil {
		s = c.reopen()
	}
	for s != nil {
		s.serve(c.Ctx)
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
		s.retire()
	}
}

// waitsFor is how often who waits for the queue of a partition looks whether it is free; it is told, too.
const waitsFor = time.Second

// reopen tries until there is a session, or Stop; then it is nil.
func (c *consumer) reopen() *session {
	freed, stop := c.b.freed(c.o.Queue)
	defer stop()
	for wait := driver.FirstBackoff; ; wait = min(2*wait, driver.LastBackoff) {
		s, err := c.open(c.Ctx)
		switch {
		case err == nil:
			return s
		case c.Ctx.Err() != nil || errors.Is(err, driver.ErrClosed):
			<-c.Ctx.Done() // Close stops every consumer
			return nil
		case errors.Is(err, errWaiting):
			wait = driver.FirstBackoff
			timer := time.NewTimer(waitsFor/2 + jitter(waitsFor))
			select {
			case <-freed:
			case <-timer.C:
			case <-c.Ctx.Done():
			}
			timer.Stop()
			continue
		case fault.Is(err, fault.NotFound):
			if err := c.b.redeclare(c.Ctx); err != nil && c.Ctx.Err() == nil {
				c.log.Error("what was declared before can't be declared again", "error", err)
			}
		}
		c.log.Warn("can't consume yet; trying again", "error", err)
		_ = resilience.Pause(c.Ctx, wait)
	}
}

// lost implements closer.
func (c *consumer) lost() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session != nil {
		c.session.die()
	}
}

func notFound(err error, queue string) error {
	if errors.Is(err, jetstream.ErrConsumerNotFound) || errors.Is(err, jetstream.ErrStreamNotFound) {
		return fault.Wrap(err, fault.GiveUp, fault.NotFound, "there is no queue %q on the NATS server; has a server declared it?", queue)
	}
	return driver.Unavailable(err, "consuming from %q failed", queue)
}
