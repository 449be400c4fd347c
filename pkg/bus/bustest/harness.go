package bustest

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/bus"
)

// Broker is what a driver gives the suite: a broker of its own, and ways to it.
type Broker struct {
	// Address is the host and port that Dial connects to, for the suite's proxy.
	Address string
	// Dial makes a connection, through another host and port when address is not empty.
	Dial func(ctx context.Context, address string) (bus.Bus, error)
	// Stop ends the broker in an orderly way, Kill as a crash would; Start starts it again on the same address and data.
	Stop, Kill, Start func(ctx context.Context) error
	// Plain is a client that is not ours: it publishes a body to the exchange of commands with the given key and asks
	// for the answer at an address of its own, and sends to answers what comes there.
	Plain func(ctx context.Context, key string, body []byte, answers chan<- []byte) (closer func(), err error)
	// KeepsUndeclared says that a message to a task queue that nobody declared is kept until somebody does; else it is an error.
	KeepsUndeclared bool
}

// patience bounds the wait for anything that has to happen.
const patience = time.Minute

// partitions is how many partition queues the suite declares; each test takes one of its own.
const partitions = 32

var nextPartition atomic.Int32

// rig is one test with its broker.
type rig struct {
	*testing.T
	broker Broker
	// Queue is a task queue that only this test uses, Partition a partition queue likewise.
	Queue, Partition string
	pool             string
}

func newRig(t *testing.T, b Broker) *rig {
	pool := "test-" + rand.Text()
	n := int(nextPartition.Add(1)-1) % partitions
	r := &rig{T: t, broker: b, pool: pool, Queue: bus.Tasks(pool), Partition: bus.Partition(n)}
	r.declare(r.dial(""))
	return r
}

// MaxDeliveries is what the suite declares. A broker does not let it be changed, so that others who declare on the same
// broker take it too.
const MaxDeliveries = 8

func (r *rig) topology() bus.Topology {
	return bus.Topology{Partitions: partitions, Pools: []string{r.pool}, MaxDeliveries: MaxDeliveries}
}

func (r *rig) declare(b bus.Bus) {
	r.Helper()
	require.NoError(r, b.Declare(r.ctx(), r.topology()))
}

// ctx ends with the test's patience.
func (r *rig) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	r.Cleanup(cancel)
	return ctx
}

// dial connects, and disconnects when the test ends.
func (r *rig) dial(address string) bus.Bus {
	r.Helper()
	b, err := r.broker.Dial(r.ctx(), address)
	require.NoError(r, err)
	r.Cleanup(func() { _ = r.closeNow(b) })
	return b
}

// closeNow closes without waiting for what can't be confirmed any more.
func (r *rig) closeNow(b bus.Bus) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return b.Close(ctx)
}

// publish publishes bodies to a queue and waits for the confirms.
func (r *rig) publish(b bus.Bus, queue string, bodies ...string) {
	r.Helper()
	messages := make([]bus.Message, len(bodies))
	for i, body := range bodies {
		messages[i] = message(queue, body)
	}
	require.NoError(r, b.Publish(r.ctx(), messages...))
}

func message(queue, body string) bus.Message {
	return bus.Message{To: bus.Address{Key: queue}, ID: rand.Text(), Type: "test", ContentType: "text/plain", Body: []byte(body)}
}

// inbox is a consumer whose deliveries the test takes one by one.
type inbox struct {
	r          *rig
	sub        bus.Subscription
	deliveries chan bus.Delivery
	lost       atomic.Int32
}

// consume starts a consumer.
func (r *rig) consume(b bus.Bus, queue string, prefetch int) *inbox {
	r.Helper()
	in := &inbox{r: r, deliveries: make(chan bus.Delivery, 100_000)}
	o := bus.ConsumeOptions{Queue: queue, Prefetch: prefetch, Lost: func() { in.lost.Add(1) }}
	sub, err := b.Consume(r.ctx(), o, func(d bus.Delivery) { in.deliveries <- d })
	require.NoError(r, err)
	in.sub = sub
	return in
}

// next is the next delivery.
func (in *inbox) next() bus.Delivery {
	in.r.Helper()
	return receive(in.r, in.deliveries)
}

func receive[T any](r *rig, ch <-chan T) T {
	r.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		require.FailNow(r, "nothing came")
		panic("unreachable")
	}
}

// sequence takes and acknowledges deliveries until each of the n bodies prefix0, prefix1, ... was there, in this order
// apart from repetitions.
func (in *inbox) sequence(prefix string, n int) {
	in.r.Helper()
	for want := 0; want < n; {
		d := in.next()
		body := string(d.Message().Body)
		d.Ack()
		if body == fmt.Sprint(prefix, want) {
			want++
			continue
		}
		var old int
		_, err := fmt.Sscanf(body, prefix+"%d", &old)
		require.NoError(in.r, err, "an unexpected message %q", body)
		require.Less(in.r, old, want, "a message came before %s%d", prefix, want)
		require.True(in.r, d.Redelivered(), "message %q came twice and is not marked", body)
	}
}

// expect takes the next delivery, which has to have this body, and returns it.
func (in *inbox) expect(body string) bus.Delivery {
	in.r.Helper()
	d := in.next()
	require.Equal(in.r, body, string(d.Message().Body))
	return d
}

// none makes sure that nothing is there that should not be: it sends a last message behind, and that has to come next.
func (in *inbox) none(b bus.Bus, queue string) {
	in.r.Helper()
	last := "last-" + rand.Text()
	in.r.publish(b, queue, last)
	in.expect(last).Ack()
}

func (in *inbox) stop() {
	in.r.Helper()
	require.NoError(in.r, in.sub.Stop(in.r.ctx()))
}

// confirms counts what Send reports.
type confirms struct {
	mu   sync.Mutex
	errs []error
	n    int
	all  chan struct{}
	want int
}

func expectConfirms(want int) *confirms { return &confirms{want: want, all: make(chan struct{})} }

func (c *confirms) done(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n++; c.n == c.want {
		close(c.all)
	}
	if err != nil {
		c.errs = append(c.errs, err)
	}
}

func (c *confirms) failures() []error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]error(nil), c.errs...)
}
