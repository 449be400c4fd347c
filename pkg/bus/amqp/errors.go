package amqp

import (
	"errors"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

var (
	errClosed = fault.New(fault.GiveUp, fault.Unavailable, "the bus is closed")
	// errLost and errRefused are what Publish tries again after; Send reports them.
	errLost    = fault.New(fault.Retry, fault.Unavailable, "the connection to the broker was lost before it confirmed the message; it may or may not be stored")
	errRefused = fault.New(fault.Retry, fault.Unavailable, "the broker could not store the message")
)

func unavailable(cause error, format string, args ...any) error {
	return fault.Wrap(cause, fault.Retry, fault.Unavailable, format, args...)
}

// code is the AMQP reply code of an error, 0 when it has none.
func code(err error) int {
	var e *amqp091.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}

// explain is the reason why something was closed.
func explain(why *amqp091.Error) string {
	if why == nil {
		return "closed"
	}
	return why.Error()
}
