package amqp

import (
	"fmt"
	"strconv"
	"strings"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/bus/internal/driver"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

const (
	defaultMaxDeliveries = 20
	// unbounded is more deliveries than a message will ever see. No limit at all can't be said in a way that both
	// RabbitMQ 3 (where no argument means none) and 4 (where it means 20) understand.
	unbounded = 2_000_000_000
	// listenerExpiry is how long the queue of a listener outlives its connection, in milliseconds.
	listenerExpiry = 60_000
	// deadExchange routes to DeadLetters what a queue gives up, except what merely expired. A headers exchange, since
	// a queue has one dead-letter exchange for both.
	deadExchange = bus.DeadLetters
	partitions   = "vivarium.partitions."
)

func isPartition(queue string) bool { return strings.HasPrefix(queue, partitions) }

func bound(t bus.Topology) int {
	if t.MaxDeliveries > 0 {
		return t.MaxDeliveries
	}
	return defaultMaxDeliveries
}

// checkVersion refuses a broker without what the topology is made of: expiry in quorum queues and headers exchanges
// that look at the broker's own headers came with 3.10.
func checkVersion(conn *amqp091.Connection) error {
	version, _ := conn.Properties["version"].(string)
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 {
		return nil // not RabbitMQ, or hidden; declaring will tell
	}
	major, err1 := strconv.Atoi(parts[0])
	minor, err2 := strconv.Atoi(parts[1])
	if err1 != nil || err2 != nil || major > 3 || major == 3 && minor >= 10 {
		return nil
	}
	return fault.New(fault.Reject, fault.Invalid, "the broker is RabbitMQ %s; 3.10 or later is needed", version)
}

// declaration declares one exchange after the other on a channel, which it replaces when the broker has closed it.
type declaration struct {
	conn *amqp091.Connection
	ch   *amqp091.Channel
	err  error // the first
}

// declare makes a topology. All of it is tried, also behind an error.
func declare(conn *amqp091.Connection, t bus.Topology) error {
	d := &declaration{conn: conn}
	for _, exchange := range driver.Exchanges {
		d.exchange(exchange, amqp091.ExchangeTopic)
	}
	d.exchange(deadExchange, amqp091.ExchangeHeaders)
	d.queue(bus.DeadLetters, unbounded, nil)
	for _, header := range []amqp091.Table{
		{"x-first-death-reason": "delivery_limit"},
		{"x-first-death-reason": "rejected"},
		{headerDeliveries: nil}, // it came back from a delay, so its first death says nothing; its expiry went with that
	} {
		header["x-match"] = "all-with-x"
		d.bind(bus.DeadLetters, "", deadExchange, header)
	}
	limit := bound(t) - 1 // the broker counts returns
	dead := amqp091.Table{"x-dead-letter-exchange": deadExchange}
	for _, queue := range []string{bus.Commands, bus.Runners, bus.Logs} {
		d.queue(queue, limit, dead)
	}
	d.bind(bus.Commands, "#", bus.Commands, nil)
	for _, pool := range t.Pools {
		d.queue(bus.Tasks(pool), limit, dead)
	}
	for n := range t.Partitions {
		d.queue(bus.Partition(n), unbounded, amqp091.Table{amqp091.SingleActiveConsumerArg: true})
	}
	d.close()
	return d.err
}

func (d *declaration) exchange(name, kind string) {
	d.do("exchange", name, func(ch *amqp091.Channel) error {
		return ch.ExchangeDeclare(name, kind, true, false, false, false, nil)
	})
}

func (d *declaration) queue(name string, limit int, more amqp091.Table) {
	args := amqp091.Table{amqp091.QueueTypeArg: amqp091.QueueTypeQuorum, "x-delivery-limit": int64(limit)}
	for k, v := range more {
		args[k] = v
	}
	d.do("queue", name, func(ch *amqp091.Channel) error {
		_, err := ch.QueueDeclare(name, true, false, false, false, args)
		return err
	})
}

func (d *declaration) bind(queue, key, exchange string, args amqp091.Table) {
	d.do("binding of queue", queue, func(ch *amqp091.Channel) error {
		return ch.QueueBind(queue, key, exchange, false, args)
	})
}

func (d *declaration) do(kind, name string, work func(*amqp091.Channel) error) {
	if d.ch == nil || d.ch.IsClosed() {
		ch, err := d.conn.Channel()
		if err != nil {
			d.fail(driver.Unavailable(err, "the connection to the broker was lost while declaring"))
			return
		}
		d.ch = ch
	}
	if err := work(d.ch); err != nil {
		d.fail(refusal(err, kind, name))
	}
}

func (d *declaration) fail(err error) {
	if d.err == nil {
		d.err = err
	}
}

func (d *declaration) close() {
	if d.ch != nil {
		_ = d.ch.Close()
	}
}

// refusal says what the broker has against a declaration, and what to do.
func refusal(err error, kind, name string) error {
	switch code(err) {
	case amqp091.PreconditionFailed:
		return fault.Wrap(err, fault.GiveUp, fault.Conflict,
			"the %s %q exists on the broker with other settings than Vivarium needs (its type, delivery limit or single active consumer); delete it once it is empty, or give Vivarium a virtual host of its own", kind, name)
	case amqp091.AccessRefused:
		return fault.Wrap(err, fault.GiveUp, fault.Invalid,
			"the broker does not let the bus's user declare the %s %q; give the user configure, write and read permission on names that begin with vivarium.", kind, name)
	case amqp091.ResourceLocked:
		return fault.Wrap(err, fault.GiveUp, fault.Conflict, "the %s %q belongs to another connection alone; delete it, or give Vivarium a virtual host of its own", kind, name)
	case amqp091.InternalError: // such as cluster_not_formed
		return driver.Unavailable(err, "the broker could not make the %s %q; one whose disk was full has to be started anew once there is room", kind, name)
	default:
		return driver.Unavailable(err, "declaring the %s %q failed", kind, name)
	}
}

// A delayed message waits in a queue of its class: class k takes delays of more than half of, and up to, 2^k ms. Each
// message carries its exact delay as its expiry; since the queue looks at its head only, one may wait as long as
// another of its class that is before it, that is, twice as long as asked and not longer.
const (
	firstClass, lastClass = 6, 31 // 64 ms to 24 days
	retryExchange         = "vivarium.retry."
)

func retryClass(milliseconds int64) int {
	class := firstClass
	for class < lastClass && milliseconds > 1<<class {
		class++
	}
	return class
}

// declareRetry makes the exchange and the queue of a class. The message is published to the exchange with the queue
// that it is to come back to as its key, and the default exchange takes it there once it has expired.
func declareRetry(conn *amqp091.Connection, exchange string) error {
	d := &declaration{conn: conn}
	d.exchange(exchange, amqp091.ExchangeFanout)
	d.do("queue", exchange, func(ch *amqp091.Channel) error {
		_, err := ch.QueueDeclare(exchange, true, false, false, false, amqp091.Table{
			amqp091.QueueTypeArg:     amqp091.QueueTypeQuorum,
			"x-dead-letter-exchange": "",
			// Gone from here only once the other queue has it.
			"x-dead-letter-strategy": "at-least-once",
			amqp091.QueueOverflowArg: amqp091.QueueOverflowRejectPublish,
			"x-delivery-limit":       int64(unbounded),
		})
		return err
	})
	d.bind(exchange, "", exchange, nil)
	d.close()
	return d.err
}

func retryName(class int) string { return fmt.Sprint(retryExchange, class) }
