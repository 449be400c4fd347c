package amqp

import (
	"context"

	"github.com/google/uuid"
	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/vivarium-env/vivarium/pkg/bus/internal/driver"
)

// trialExpiry is how long the queue of a trial outlives one that was cut off, in milliseconds.
const trialExpiry = 60_000

// Stores finds out whether the broker can store messages, by having it store one. A RabbitMQ whose disk was full may go on answering and
// store nothing any more until it is started anew: its log of quorum queues has ended, and is not begun again.
// The error is fault.Unavailable where it does not store, or does not say so before ctx ends, and fault.Invalid where this user may not try.
func (b *Bus) Stores(ctx context.Context) error {
	if err := b.running.Open(); err != nil {
		return err
	}
	s, err := b.publish.stream(ctx)
	if err != nil {
		return err
	}
	tried := make(chan error, 1)
	go func() { // the client's calls know no deadline; they end with the connection
		defer s.end()
		tried <- try(ctx, s.ch, "vivarium.trial."+uuid.NewString())
	}()
	select {
	case err := <-tried:
		return err
	case <-ctx.Done():
		return driver.Unavailable(ctx.Err(), "the broker at %s does not say that it has stored a message", b.publish.address)
	}
}

func try(ctx context.Context, ch *amqp091.Channel, queue string) error {
	if err := ch.Confirm(false); err != nil {
		return refusal(err, "queue", queue)
	}
	args := amqp091.Table{amqp091.QueueTypeArg: amqp091.QueueTypeQuorum, amqp091.QueueTTLArg: int64(trialExpiry)}
	if _, err := ch.QueueDeclare(queue, true, false, false, false, args); err != nil {
		return refusal(err, "queue", queue)
	}
	sent, err := ch.PublishWithDeferredConfirmWithContext(ctx, "", queue, true, false, amqp091.Publishing{DeliveryMode: amqp091.Persistent})
	if err != nil {
		return driver.Unavailable(err, "the connection to the broker was lost")
	}
	stored, err := sent.WaitContext(ctx)
	switch {
	case err != nil:
		return driver.Unavailable(err, "the broker does not say that it has stored a message")
	case !stored:
		return driver.ErrRefused
	}
	_, err = ch.QueueDelete(queue, false, false, false)
	return err
}
