package amqp

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/bus/internal/driver"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// headerDeliveries is how often a message had been delivered when it was last requeued with a delay, which makes it a
// new message for the broker.
const headerDeliveries = "x-vivarium-deliveries"

// check refuses what the protocol can't carry.
func check(m *bus.Message) error {
	if m.To.Exchange == "" && m.To.Key == "" {
		return fault.New(fault.Reject, fault.Invalid, "the message has no address")
	}
	return driver.Check(m)
}

// encode makes what is published.
func encode(m *bus.Message) amqp091.Publishing {
	p := amqp091.Publishing{
		MessageId: m.ID, Type: m.Type, ContentType: m.ContentType, CorrelationId: m.CorrelationID, ReplyTo: m.ReplyTo,
		DeliveryMode: amqp091.Persistent, Body: m.Body,
	}
	if m.Transient {
		p.DeliveryMode = amqp091.Transient
	}
	if m.Expires > 0 {
		p.Expiration = strconv.FormatInt(milliseconds(m.Expires), 10)
	}
	if len(m.Headers) > 0 {
		p.Headers = make(amqp091.Table, len(m.Headers))
		for k, v := range m.Headers {
			p.Headers[k] = v
		}
	}
	return p
}

// milliseconds rounds up, since 0 would expire at once.
func milliseconds(d time.Duration) int64 {
	return min(int64((d+time.Millisecond-1)/time.Millisecond), 1<<lastClass)
}

// decode makes a message of a delivery from anybody. What the broker gave up gets the headers of a dead letter.
func decode(d *amqp091.Delivery) *bus.Message {
	m := &bus.Message{
		To: bus.Address{Exchange: d.Exchange, Key: d.RoutingKey},
		ID: d.MessageId, Type: d.Type, ContentType: d.ContentType, CorrelationID: d.CorrelationId, ReplyTo: d.ReplyTo,
		Transient: d.DeliveryMode == amqp091.Transient,
		Body:      d.Body,
	}
	if ms, err := strconv.ParseInt(d.Expiration, 10, 64); err == nil {
		m.Expires = time.Duration(ms) * time.Millisecond
	}
	for k, v := range d.Headers {
		if internal(k) {
			continue
		}
		if s, ok := scalar(v); ok {
			if m.Headers == nil {
				m.Headers = make(map[string]string, len(d.Headers))
			}
			m.Headers[k] = s
		}
	}
	explainDeath(m, d.Headers)
	return m
}

// internal headers are the broker's or ours, and of no meaning behind this driver.
func internal(name string) bool {
	return name == headerDeliveries || name == "x-death" || name == "x-delivery-count" || name == "x-acquired-count" ||
		strings.HasPrefix(name, "x-first-death-") || strings.HasPrefix(name, "x-last-death-")
}

// explainDeath adds the reason to a message that the broker itself has moved to the dead letters.
func explainDeath(m *bus.Message, headers amqp091.Table) {
	deaths, _ := headers["x-death"].([]any)
	if m.To.Exchange != deadExchange || len(deaths) == 0 || m.Headers[bus.HeaderReason] != "" {
		return
	}
	last, _ := deaths[0].(amqp091.Table)
	queue, _ := last["queue"].(string)
	reason, _ := last["reason"].(string)
	if m.Headers == nil {
		m.Headers = map[string]string{}
	}
	m.Headers[bus.HeaderQueue] = queue
	m.Headers[bus.HeaderReason] = reason
	if reason == "delivery_limit" {
		m.Headers[bus.HeaderReason] = bus.ReasonMaxDeliveries
	}
	m.Headers[bus.HeaderDetail] = "the broker gave the message up"
}

func scalar(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case []byte:
		return string(v), true
	case bool, int8, int16, int32, int64, int, uint8, uint16, uint32, uint64, float32, float64:
		return fmt.Sprint(v), true
	default:
		return "", false
	}
}

// deliveries tells which delivery of the message this is, from 1, as far as the broker knows.
func deliveries(d *amqp091.Delivery) int {
	n := 1 + number(d.Headers[headerDeliveries]) + number(d.Headers["x-delivery-count"])
	if n == 1 && d.Redelivered {
		n = 2
	}
	return n
}

func number(v any) int {
	s, _ := scalar(v)
	n, _ := strconv.Atoi(s)
	return max(n, 0)
}

// copyTo is the same message for another address, with further headers.
func copyTo(m *bus.Message, to bus.Address, headers map[string]string) *bus.Message {
	c := *m
	c.To, c.Expires, c.Transient = to, 0, false
	c.Headers = make(map[string]string, len(m.Headers)+len(headers))
	for k, v := range m.Headers {
		c.Headers[k] = v
	}
	for k, v := range headers {
		c.Headers[k] = strings.ToValidUTF8(v, string(utf8.RuneError))
	}
	return &c
}
