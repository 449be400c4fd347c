package amqp

import (
	"context"
	"sync"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/bus/internal/driver"
)

// Bus is a bus.Bus on RabbitMQ.
type Bus struct {
	o       Options
	publish *link
	consume *link
	out     *pipeline
	running *driver.Running[driver.Closer] // consumers and listeners

	mu         sync.Mutex
	topologies []bus.Topology
}

var _ bus.Bus = (*Bus)(nil)

// Dial connects to a broker, trying until ctx ends; give ctx a deadline unless the broker may be waited for without end.
// An address that is wrong, or credentials that are refused, are an error at once.
func Dial(ctx context.Context, o Options) (*Bus, error) {
	address, err := o.complete()
	if err != nil {
		return nil, err
	}
	b := &Bus{o: o, running: driver.NewRunning[driver.Closer]()}
	b.publish = newLink(o, address, "publishing", b.prepare)
	b.consume = newLink(o, address, "consuming", b.prepare)
	if err := b.publish.start(ctx); err != nil {
		return nil, err
	}
	if err := b.consume.start(ctx); err != nil {
		b.publish.close()
		return nil, err
	}
	b.out = newPipeline(b.publish, o.InFlight)
	return b, nil
}

// prepare declares on a new connection what was declared before: the broker may have come back without it.
func (b *Bus) prepare(conn *amqp091.Connection) error {
	if err := checkVersion(conn); err != nil {
		return err
	}
	b.mu.Lock()
	topologies := append([]bus.Topology(nil), b.topologies...)
	b.mu.Unlock()
	for _, t := range topologies {
		if err := declare(conn, t); err != nil {
			if conn.IsClosed() {
				return err
			}
			b.o.Log.Error("what was declared before can't be declared again", "error", err)
		}
	}
	return nil
}

// Declare implements bus.Bus.
func (b *Bus) Declare(ctx context.Context, t bus.Topology) error {
	if err := b.running.Open(); err != nil {
		return err
	}
	conn, err := b.publish.hold(ctx)
	if err != nil {
		return err
	}
	defer conn.release()
	if err := declare(conn.Connection, t); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.topologies = append(b.topologies, t)
	return nil
}

// maxDeliveries is the bound of a queue, 0 for none.
func (b *Bus) maxDeliveries(queue string) int {
	if isPartition(queue) || queue == bus.DeadLetters {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if n := len(b.topologies); n > 0 {
		return bound(b.topologies[n-1])
	}
	return 0
}

// Status implements bus.Bus: connected when both connections are.
func (b *Bus) Status() bus.Status {
	p, c := b.publish.status(), b.consume.status()
	switch {
	case p.Connected && !c.Connected:
		return c
	case c.Connected && !p.Connected:
		return p
	case c.Since.After(p.Since):
		return c
	default:
		return p
	}
}

// Close implements bus.Bus.
func (b *Bus) Close(ctx context.Context) error {
	return b.running.Close(ctx, driver.Steps{Drain: b.out.close, End: func() {
		b.publish.close()
		b.consume.close()
	}})
}
