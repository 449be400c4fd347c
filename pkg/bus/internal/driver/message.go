package driver

import (
	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

const (
	// MaxShort is the longest text of a message's head, in bytes: AMQP's short string.
	MaxShort = 255
	// MaxBody is the largest body, in bytes.
	MaxBody = 16 << 20
	// DefaultInFlight is how many messages may be sent and not yet confirmed.
	DefaultInFlight = 8192
	// InFlightBytes bounds the bodies that are sent and not yet confirmed.
	InFlightBytes = 64 << 20
)

// Check refuses what no driver carries, before it can end a connection that others use too.
func Check(m *bus.Message) error {
	for name, value := range map[string]string{
		"exchange": m.To.Exchange, "key": m.To.Key, "id": m.ID, "type": m.Type, "content type": m.ContentType,
		"correlation id": m.CorrelationID, "reply address": m.ReplyTo,
	} {
		if len(value) > MaxShort {
			return fault.New(fault.Reject, fault.Invalid, "the message's %s has %d bytes; %d are possible", name, len(value), MaxShort)
		}
	}
	for name := range m.Headers {
		if name == "" || len(name) > MaxShort {
			return fault.New(fault.Reject, fault.Invalid, "a header's name has %d bytes; 1 to %d are possible", len(name), MaxShort)
		}
	}
	if len(m.Body) > MaxBody {
		return fault.New(fault.Reject, fault.Invalid, "the message has %d bytes; %d are possible", len(m.Body), MaxBody)
	}
	return nil
}

// CheckPrefetch refuses what AMQP can't say, in every driver.
func CheckPrefetch(n int) error {
	if n < 1 || n > 65535 {
		return fault.New(fault.Reject, fault.Invalid, "the prefetch of a consumer is %d; 1 to 65535 are possible", n)
	}
	return nil
}
