package runner

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/bus/nats"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/secret"
)

// embeddedBus starts a real bus inside the process.
func embeddedBus(t testing.TB, listen string) *nats.Embedded {
	embedded, err := nats.StartEmbedded(t.Context(), nats.EmbeddedOptions{Dir: t.TempDir(), Listen: listen})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, embedded.Stop(context.Background())) })
	return embedded
}

// realBus connects twice to a real bus: for a server, and for a runner.
func realBus(t testing.TB) (servers, runners bus.Bus) {
	embedded := embeddedBus(t, nats.NoListen)
	connect := func() bus.Bus {
		b, err := embedded.Bus(t.Context())
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, b.Close(context.Background())) })
		return b
	}
	return connect(), connect()
}

// partition is the only one of these tests.
const partition = 0

// server is the other side of the protocol, as far as these tests need one: it welcomes, offers and hears.
type server struct {
	t    testing.TB
	bus  bus.Bus
	box  *secret.Box
	pace time.Duration // of heartbeats
	mu   sync.Mutex
	data map[string][]json.RawMessage // by name of the message
	news chan string                  // the names, as they come
}

func startServer(t testing.TB, b bus.Bus, pace time.Duration) *server {
	s := &server{t: t, bus: b, box: newBox(t), pace: pace, data: map[string][]json.RawMessage{}, news: make(chan string, 100_000)}
	require.NoError(t, b.Declare(t.Context(), bus.Topology{Partitions: partition + 1, Pools: []string{"default"}}))
	for _, queue := range []string{bus.Runners, bus.Logs, bus.Partition(partition)} {
		subscription, err := b.Consume(t.Context(), bus.ConsumeOptions{Queue: queue, Prefetch: 1000}, s.take)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, subscription.Stop(context.Background())) })
	}
	listener, err := b.Listen(t.Context(), []bus.Address{{Exchange: bus.Control, Key: "runners"}}, s.hear)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, listener.Stop(context.Background())) })
	return s
}

func (s *server) take(d bus.Delivery) {
	s.hear(d.Message())
	d.Ack()
}

func (s *server) hear(m *bus.Message) {
	e, err := event.Decode(m.Body)
	if err != nil {
		s.t.Error(err)
	}
	name, _ := event.NameOf(e.Type)
	if name == event.RunnerHello {
		s.greet(m.ReplyTo, e.Data)
	}
	s.mu.Lock()
	s.data[name] = append(s.data[name], e.Data)
	s.mu.Unlock()
	s.news <- name
}

func (s *server) greet(address string, data json.RawMessage) {
	var h event.Hello
	err := json.Unmarshal(data, &h)
	if err != nil {
		s.t.Error(err)
		return
	}
	wrapped, err := s.box.Wrap((*[32]byte)(h.PublicKey))
	if err != nil {
		s.t.Error(err)
	}
	s.publish(bus.Address{Key: address}, event.RunnerWelcome, event.Welcome{Cluster: "eu", Epoch: 1, WrappedKey: wrapped, HeartbeatEvery: s.pace})
}

func (s *server) publish(to bus.Address, name string, data any) {
	body := envelope(name, data)
	if err := s.bus.Publish(context.Background(), bus.Message{To: to, ContentType: event.ContentType, Body: body}); err != nil {
		s.t.Error(err)
	}
}

// await waits until a message of the name has come, and returns the data of the last one.
func await[T any](s *server, name string) T {
	s.t.Helper()
	s.awaitAll(name)
	return last[T](s, name)
}

// awaitAll waits until a message of each name has come, in any order: what goes by different queues is in none.
func (s *server) awaitAll(names ...string) {
	s.t.Helper()
	limit := time.After(2 * time.Minute) // large messages under the race detector take their time
	for len(names) > 0 {
		select {
		case got := <-s.news:
			names = slices.DeleteFunc(names, func(name string) bool { return name == got })
		case <-limit:
			s.t.Fatalf("no %s came", names)
		}
	}
}

// last is the data of the last message of the name.
func last[T any](s *server, name string) T {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	var v T
	all := s.data[name]
	require.NoError(s.t, json.Unmarshal(all[len(all)-1], &v))
	return v
}

func startReal(t testing.TB, b bus.Bus, x funcs) *Runner {
	x.name = "x"
	r, err := New(Options{
		Bus: b, Name: "one", Pools: []string{"default"}, Executors: []executor.Executor{x}, Concurrency: 100, WorkDir: t.TempDir(),
	})
	require.NoError(t, err)
	require.NoError(t, r.Start(t.Context()))
	t.Cleanup(func() { _ = r.Stop(context.Background()) })
	return r
}
