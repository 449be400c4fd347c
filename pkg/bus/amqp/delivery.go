package amqp

import (
	"strconv"
	"sync/atomic"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/vivarium-env/vivarium/pkg/bus"
)

type verdict int

const (
	taken verdict = iota // acknowledged: the broker forgets it
	again                // the broker delivers it again
)

// delivery is a bus.Delivery.
type delivery struct {
	c       *consumer
	ledger  *ledger
	tag     uint64
	m       *bus.Message
	count   int // which delivery of the message this is, from 1
	decided atomic.Bool

	verdict verdict // guarded by the ledger
	written bool
}

func newDelivery(c *consumer, l *ledger, d *amqp091.Delivery) *delivery {
	return &delivery{c: c, ledger: l, tag: d.DeliveryTag, m: decode(d), count: deliveries(d)}
}

// Message implements bus.Delivery.
func (d *delivery) Message() *bus.Message { return d.m }

// Redelivered implements bus.Delivery.
func (d *delivery) Redelivered() bool { return d.count > 1 }

// Ack implements bus.Delivery.
func (d *delivery) Ack() {
	if d.decided.CompareAndSwap(false, true) {
		d.ledger.settle(d, taken)
	}
}

// Requeue implements bus.Delivery. Without a delay the broker's own means do; with one, a copy goes through a queue
// that lets it out later.
func (d *delivery) Requeue(delay time.Duration) {
	if !d.decided.CompareAndSwap(false, true) {
		return
	}
	if delay <= 0 {
		d.ledger.settle(d, again)
		return
	}
	if most := d.c.b.maxDeliveries(d.c.o.Queue); most > 0 && d.count >= most {
		d.dead(bus.ReasonMaxDeliveries, "it was given back "+strconv.Itoa(d.count)+" times")
		return
	}
	ms := milliseconds(delay)
	// The copy's key is where it is to come back to.
	to := bus.Address{Exchange: retryName(retryClass(ms)), Key: d.c.o.Queue}
	c := copyTo(d.m, to, map[string]string{headerDeliveries: strconv.Itoa(d.count)})
	c.Expires = time.Duration(ms) * time.Millisecond
	d.move(c)
}

// Dead implements bus.Delivery.
func (d *delivery) Dead(code, detail string) {
	if d.decided.CompareAndSwap(false, true) {
		d.dead(code, detail)
	}
}

func (d *delivery) dead(code, detail string) {
	d.move(copyTo(d.m, bus.Address{Key: bus.DeadLetters}, map[string]string{
		bus.HeaderReason: code, bus.HeaderDetail: detail, bus.HeaderQueue: d.c.o.Queue,
	}))
}

// move publishes a copy, and acknowledges once the broker has it; when that fails, the broker delivers again.
func (d *delivery) move(m *bus.Message) {
	taken := d.c.b.out.add(&item{m: m, done: func(err error) {
		if err == nil {
			d.ledger.settle(d, taken)
			return
		}
		d.c.log.Warn("a message could not be moved; it is delivered again", "to", m.To.Exchange+m.To.Key, "error", err)
		d.ledger.settle(d, again)
	}})
	if !taken {
		d.ledger.settle(d, again)
	}
}
