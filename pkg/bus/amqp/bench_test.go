package amqp_test

import (
	"context"
	"testing"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/bus/amqp"
	"github.com/vivarium-env/vivarium/pkg/bus/bustest"
	"github.com/vivarium-env/vivarium/test/servers"
)

func BenchmarkRabbitMQ(b *testing.B) {
	broker := servers.SharedRabbitMQ(b)
	bustest.Bench(b, func(ctx context.Context) (bus.Bus, error) {
		return amqp.Dial(ctx, amqp.Options{URL: broker.URL()})
	})
}
