package nats

import (
	"github.com/vivarium-env/vivarium/pkg/fault"
)

var (
	errClosed = fault.New(fault.GiveUp, fault.Unavailable, "the bus is closed")
	// errLost and errRefused are what Publish tries again after; Send reports them.
	errLost    = fault.New(fault.Retry, fault.Unavailable, "the connection to the server was lost before it confirmed the message; it may or may not be stored")
	errRefused = fault.New(fault.Retry, fault.Unavailable, "the server could not store the message")
)

func unavailable(cause error, format string, args ...any) error {
	return fault.Wrap(cause, fault.Retry, fault.Unavailable, format, args...)
}
