package amqp

import (
	"context"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/bus/internal/driver"
)

// Send implements bus.Bus. Messages are published in the order of the calls.
func (b *Bus) Send(ctx context.Context, m bus.Message, done func(error)) error {
	if err := b.running.Open(); err != nil {
		return err
	}
	if err := check(&m); err != nil {
		return err
	}
	return b.out.send(ctx, &m, done)
}

// Publish implements bus.Bus.
func (b *Bus) Publish(ctx context.Context, messages ...bus.Message) error {
	return driver.Publisher{Peer: "broker at " + b.publish.address, Check: check, Send: b.Send}.Publish(ctx, messages...)
}
