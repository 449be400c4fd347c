package amqp_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/bus/amqp"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/test/servers"
)

// TestABrokerThatStoresNothing answers, as RabbitMQ does after its disk was full.
func TestABrokerThatStoresNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a real RabbitMQ")
	}
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	m, err := servers.StartRabbitMQ(ctx, t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Kill()) })
	b, err := amqp.Dial(ctx, amqp.Options{URL: m.URL(), Name: "trial"})
	require.NoError(t, err)
	defer func() { require.NoError(t, b.Close(context.Background())) }()
	stores := func() error {
		ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
		defer cancel()
		return b.Stores(ctx)
	}
	require.NoError(t, stores())
	queues, err := m.Eval(ctx, "length(rabbit_amqqueue:list()).")
	require.NoError(t, err)
	require.Equal(t, "0\n", queues, "nothing of the trial stays")

	_, err = m.Eval(ctx, servers.EndsQuorumQueues)
	require.NoError(t, err)
	err = stores()
	require.Equal(t, fault.Unavailable, fault.From(err).Code)
	require.ErrorContains(t, err, "has to be started anew")

	require.NoError(t, m.Stop(ctx))
	require.NoError(t, m.Start(ctx))
	require.Eventually(t, func() bool { return stores() == nil }, time.Minute, 100*time.Millisecond)
}
