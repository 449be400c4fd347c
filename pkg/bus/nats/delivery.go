package nats

import (
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	client "github.com/nats-io/nats.go"

	"github.com/vivarium-env/vivarium/pkg/bus"
)

// What JetStream is told of a message.
const (
	ackTaken    = "+ACK"
	ackAgain    = "-NAK"
	ackProgress = "+WPI"
)

// delivery is a bus.Delivery.
type delivery struct {
	s        *session
	reply    string
	m        *bus.Message
	sequence uint64 // in the stream
	count    int    // which delivery of the message this is to its consumer on the server, from 1
	stored   time.Time
	decided  atomic.Bool
}

func newDelivery(s *session, n *client.Msg) (*delivery, error) {
	meta, err := n.Metadata()
	if err != nil {
		return nil, err
	}
	return &delivery{
		s: s, reply: n.Reply, m: decode(n),
		sequence: meta.Sequence.Stream, count: int(meta.NumDelivered), stored: meta.Timestamp,
	}, nil
}

// Message implements bus.Delivery.
func (d *delivery) Message() *bus.Message { return d.m }

// Redelivered implements bus.Delivery.
func (d *delivery) Redelivered() bool { return d.count > 1 || d.sequence <= d.s.floor }

// expired tells whether the message has waited too long before anybody was given it.
func (d *delivery) expired() bool {
	return d.m.Expires > 0 && d.count == 1 && time.Since(d.stored) > d.m.Expires
}

// Ack implements bus.Delivery.
func (d *delivery) Ack() {
	if d.decided.CompareAndSwap(false, true) {
		d.take()
	}
}

// Requeue implements bus.Delivery.
func (d *delivery) Requeue(delay time.Duration) {
	if !d.decided.CompareAndSwap(false, true) {
		return
	}
	if d.s.bound > 0 && d.count >= d.s.bound {
		d.dead(bus.ReasonMaxDeliveries, "it was given back "+strconv.Itoa(d.count)+" times")
		return
	}
	d.again(delay)
}

// Dead implements bus.Delivery.
func (d *delivery) Dead(code, detail string) {
	if d.decided.CompareAndSwap(false, true) {
		d.dead(code, detail)
	}
}

// giveBack is for what was never handed out, and does not count as a delivery that failed.
func (d *delivery) giveBack() {
	if d.decided.CompareAndSwap(false, true) {
		d.again(0)
	}
}

func (d *delivery) take() {
	d.s.mu.Lock()
	gone := d.s.gone
	d.s.mu.Unlock()
	if gone && !d.s.isDead() {
		d.s.remove(d.sequence)
	} else {
		d.answer(ackTaken)
	}
	d.s.settled(d)
}

func (d *delivery) again(delay time.Duration) {
	if delay > 0 {
		d.answer(ackAgain + ` {"delay":` + strconv.FormatInt(int64(delay), 10) + `}`)
	} else {
		d.answer(ackAgain)
	}
	d.s.settled(d)
}

// answer tells JetStream, unless the message is going to come again anyway.
func (d *delivery) answer(what string) {
	if !d.s.isDead() {
		// An error is that of a lost connection; then it comes again.
		_ = d.s.c.b.nc.Publish(d.reply, []byte(what))
	}
}

// dead publishes a copy to the dead letters, and acknowledges once the server has it; when that fails, it comes again.
func (d *delivery) dead(code, detail string) {
	c := *d.m
	c.To, c.Expires, c.Transient = bus.Address{Key: bus.DeadLetters}, 0, false
	c.Headers = make(map[string]string, len(d.m.Headers)+3)
	for k, v := range d.m.Headers {
		c.Headers[k] = v
	}
	c.Headers[bus.HeaderReason], c.Headers[bus.HeaderDetail], c.Headers[bus.HeaderQueue] = oneLine(code), oneLine(detail), d.s.c.o.Queue
	report := func(err error) {
		if err == nil {
			d.take()
			return
		}
		d.s.c.log.Warn("a message could not be moved to the dead letters; it is delivered again", "error", err)
		d.again(0)
	}
	if err := d.s.c.b.out.add(&item{m: encode(&c, bus.DeadLetters, true), stored: true, done: report}); err != nil {
		report(err)
	}
}

// maxDetail bounds a header; the server's limit is for all of them together.
const maxDetail = 16 << 10

// oneLine is text that may be the value of a header.
func oneLine(s string) string {
	s = strings.NewReplacer("\r\n", " | ", "\n", " | ", "\r", " | ").Replace(strings.ToValidUTF8(s[:min(len(s), maxDetail)], "\uFFFD"))
	return strings.TrimSpace(s)
}
