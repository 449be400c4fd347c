package driver

import (
	"time"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// The errors that a driver's Send reports. Publish tries again after ErrLost and ErrRefused.
var (
	ErrClosed  = fault.New(fault.GiveUp, fault.Unavailable, "the bus is closed")
	ErrLost    = fault.New(fault.Retry, fault.Unavailable, "the connection to the broker was lost before it confirmed the message; it may or may not be stored")
	ErrRefused = fault.New(fault.Retry, fault.Unavailable, "the broker could not store the message")
)

// Retries of a connection wait between these.
const (
	FirstBackoff = 50 * time.Millisecond
	LastBackoff  = 3 * time.Second
)

// Unavailable is an error of a broker that may answer later.
func Unavailable(cause error, format string, args ...any) error {
	return fault.Wrap(cause, fault.Retry, fault.Unavailable, format, args...)
}
