package nats

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
	subject, stored, err := route(m.To)
	if err != nil {
		return err
	}
	return b.out.send(ctx, encode(&m, subject, stored), stored, done)
}

// Publish implements bus.Bus.
func (b *Bus) Publish(ctx context.Context, messages ...bus.Message) error {
	return driver.Publisher{Peer: "NATS server at " + b.address, Check: check, Send: b.Send}.Publish(ctx, messages...)
}
