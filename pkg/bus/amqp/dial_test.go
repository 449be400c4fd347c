package amqp_test

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/bus/amqp"
	"github.com/vivarium-env/vivarium/pkg/bus/bustest"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/test/servers"
)

func topology(pools ...string) bus.Topology {
	return bus.Topology{Pools: pools, MaxDeliveries: bustest.MaxDeliveries}
}

func TestDialFails(t *testing.T) {
	broker := servers.SharedRabbitMQ(t)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for url, reason := range map[string]fault.Code{
		"http://guest:secret@" + broker.Address():                          fault.Invalid,
		"amqp://guest:secret@" + broker.Address():                          fault.Invalid,
		"amqp://guest:secret/2@" + broker.Address():                        fault.Invalid,
		"amqp://secret/2@" + broker.Address():                              fault.Invalid,
		strings.TrimSuffix(broker.URL(), "/") + "/nosuchhost?secret=guest": fault.Invalid,
	} {
		_, err := amqp.Dial(ctx, amqp.Options{URL: url})
		require.True(t, fault.Is(err, reason), "%s: %v", url, err)
		require.NotContains(t, err.Error(), "secret")
	}
	short, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	var log bytes.Buffer
	_, err := amqp.Dial(short, amqp.Options{URL: "amqp://guest:secret@127.0.0.1:1/", Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	require.True(t, fault.Is(err, fault.Unavailable), "%v", err)
	require.NotContains(t, err.Error()+log.String(), "secret")
}

// TestOtherSettings: a queue that is there with other settings is named, with what to do.
func TestOtherSettings(t *testing.T) {
	broker := servers.SharedRabbitMQ(t)
	queue := bus.Tasks("classic")
	conn, err := amqp091.Dial(broker.URL())
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close()) }()
	ch, err := conn.Channel()
	require.NoError(t, err)
	_, err = ch.QueueDeclare(queue, true, false, false, false, nil)
	require.NoError(t, err)
	defer func() { _, err := ch.QueueDelete(queue, false, false, false); require.NoError(t, err) }()

	b, err := amqp.Dial(t.Context(), amqp.Options{URL: broker.URL()})
	require.NoError(t, err)
	defer func() { require.NoError(t, b.Close(context.Background())) }()
	err = b.Declare(t.Context(), topology("classic", "behind"))
	require.True(t, fault.Is(err, fault.Conflict), "%v", err)
	require.ErrorContains(t, err, queue)
	require.ErrorContains(t, err, "delete it")
	require.NoError(t, b.Publish(t.Context(), bus.Message{To: bus.Address{Key: bus.Tasks("behind")}}), "the rest is declared")
	require.NoError(t, b.Declare(t.Context(), topology("behind")))
}

// TestMissingExchange: a topic of an exchange that is not there is an error, and the messages around it are not touched.
func TestMissingExchange(t *testing.T) {
	broker := servers.SharedRabbitMQ(t)
	b, err := amqp.Dial(t.Context(), amqp.Options{URL: broker.URL()})
	require.NoError(t, err)
	defer func() { require.NoError(t, b.Close(context.Background())) }()
	require.NoError(t, b.Declare(t.Context(), topology()))
	good := make(chan error, 2)
	require.NoError(t, b.Send(t.Context(), bus.Message{To: bus.Address{Key: bus.Logs}}, func(err error) { good <- err }))
	err = b.Publish(t.Context(), bus.Message{To: bus.Address{Exchange: "nobody.has.this", Key: "x"}})
	require.True(t, fault.Is(err, fault.NotFound), "%v", err)
	require.NoError(t, b.Send(t.Context(), bus.Message{To: bus.Address{Key: bus.Logs}}, func(err error) { good <- err }))
	require.NoError(t, <-good)
	require.NoError(t, <-good)
}

// TestHungBroker: a client notices by its heartbeats that a broker does not answer, though the connection is open, and goes on
// when the broker does.
func TestHungBroker(t *testing.T) {
	broker := servers.SharedRabbitMQ(t)
	b, err := amqp.Dial(t.Context(), amqp.Options{URL: broker.URL(), Heartbeat: time.Second})
	require.NoError(t, err)
	defer func() { require.NoError(t, b.Close(context.Background())) }()
	require.NoError(t, b.Declare(t.Context(), topology()))
	require.NoError(t, broker.Pause())
	require.Eventually(t, func() bool { return !b.Status().Connected }, 30*time.Second, 10*time.Millisecond)
	require.NoError(t, broker.Resume())
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	require.NoError(t, b.Publish(ctx, bus.Message{To: bus.Address{Key: bus.Logs}}))
}

// TestAnotherWay: a broker is reached by whatever way there is to it, under the name that it is called by.
func TestAnotherWay(t *testing.T) {
	broker := servers.SharedRabbitMQ(t)
	address, err := url.Parse(broker.URL())
	require.NoError(t, err)
	address.Host = "broker.viv.svc:5672"
	var dialled atomic.Value
	b, err := amqp.Dial(t.Context(), amqp.Options{URL: address.String(), Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		dialled.Store(address)
		return (&net.Dialer{}).DialContext(ctx, network, broker.Address())
	}})
	require.NoError(t, err)
	require.NoError(t, b.Close(context.Background()))
	require.Equal(t, "broker.viv.svc:5672", dialled.Load())
}
