package amqp

import (
	"errors"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

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
