package bustest

import (
	"context"
	"crypto/rand"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/bus"
)

// Bench measures a driver: messages sent without waiting, messages sent and consumed at once, and the time from
// publishing one message to its delivery to a consumer of another connection.
func Bench(b *testing.B, dial func(ctx context.Context) (bus.Bus, error)) {
	b.Run("send", func(b *testing.B) { benchSend(newBench(b, dial)) })
	b.Run("send and consume", func(b *testing.B) { benchConsume(newBench(b, dial)) })
	b.Run("latency of a task", func(b *testing.B) { m := newBench(b, dial); benchLatency(m, m.task) })
	b.Run("latency in a partition", func(b *testing.B) { m := newBench(b, dial); benchLatency(m, bus.Partition(0)) })
}

type bench struct {
	*testing.B
	from, to bus.Bus
	task     string
	body     string
}

func newBench(b *testing.B, dial func(ctx context.Context) (bus.Bus, error)) *bench {
	m := &bench{B: b, body: strings.Repeat("x", 1000)}
	for _, c := range []*bus.Bus{&m.from, &m.to} {
		connected, err := dial(context.Background())
		require.NoError(b, err)
		b.Cleanup(func() { _ = connected.Close(context.Background()) })
		*c = connected
	}
	pool := "bench-" + rand.Text()
	m.task = bus.Tasks(pool)
	require.NoError(b, m.from.Declare(context.Background(), bus.Topology{Partitions: 1, Pools: []string{pool}, MaxDeliveries: MaxDeliveries}))
	return m
}

// send sends n messages and waits for their confirms.
func (m *bench) send(n int) {
	var confirmed sync.WaitGroup
	confirmed.Add(n)
	for range n {
		err := m.from.Send(context.Background(), message(m.task, m.body), func(err error) {
			if err != nil {
				m.Error(err)
			}
			confirmed.Done()
		})
		require.NoError(m, err)
	}
	confirmed.Wait()
}

func (m *bench) perSecond() { m.ReportMetric(float64(m.N)/m.Elapsed().Seconds(), "messages/s") }

// consume calls got with every delivery, after acknowledging it.
func (m *bench) consume(queue string, prefetch int, got func()) {
	sub, err := m.to.Consume(context.Background(), bus.ConsumeOptions{Queue: queue, Prefetch: prefetch}, func(d bus.Delivery) {
		d.Ack()
		got()
	})
	require.NoError(m, err)
	m.Cleanup(func() { _ = sub.Stop(context.Background()) })
}

func benchSend(m *bench) {
	m.ResetTimer()
	m.send(m.N)
	m.perSecond()
}

func benchConsume(m *bench) {
	var received sync.WaitGroup
	received.Add(m.N)
	m.consume(m.task, 1000, received.Done)
	m.ResetTimer()
	m.send(m.N)
	received.Wait()
	m.perSecond()
}

func benchLatency(m *bench, queue string) {
	received := make(chan struct{})
	m.consume(queue, 100, func() { received <- struct{}{} })
	m.ResetTimer()
	for range m.N {
		err := m.from.Send(context.Background(), message(queue, m.body), func(err error) {
			if err != nil {
				m.Error(err)
			}
		})
		require.NoError(m, err)
		<-received
	}
}
