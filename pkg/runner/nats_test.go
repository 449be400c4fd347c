package runner

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/bus/nats"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/secret"
)

// realBus starts a real bus inside the process and connects twice: for a server, and for a runner.
func realBus(t testing.TB) (servers, runners bus.Bus) {
	embedded, err := nats.StartEmbedded(t.Context(), nats.EmbeddedOptions{Dir: t.TempDir(), Listen: nats.NoListen})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, embedded.Stop(context.Background())) })
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
	mu   sync.Mutex
	data map[string][]json.RawMessage // by name of the message
	news chan string                  // the names, as they come
}

func startServer(t testing.TB, b bus.Bus) *server {
	s := &server{t: t, bus: b, box: newBox(t), data: map[string][]json.RawMessage{}, news: make(chan string, 100_000)}
	require.NoError(t, b.Declare(t.Context(), bus.Topology{Partitions: partition + 1, Pools: []string{"default"}}))
	for _, queue := range []string{bus.Runners, bus.Logs, bus.Partition(partition)} {
		subscription, err := b.Consume(t.Context(), bus.ConsumeOptions{Queue: queue, Prefetch: 1000}, s.take)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, subscription.Stop(context.Background())) })
	}
	return s
}

func (s *server) take(d bus.Delivery) {
	e, err := event.Decode(d.Message().Body)
	if err != nil {
		s.t.Error(err)
	}
	d.Ack()
	name, _ := event.NameOf(e.Type)
	if name == event.RunnerHello {
		s.greet(d.Message().ReplyTo, e.Data)
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
	s.publish(bus.Address{Key: address}, event.RunnerWelcome, event.Welcome{Cluster: "eu", Epoch: 1, WrappedKey: wrapped, HeartbeatEvery: 500 * time.Millisecond})
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
	limit := time.After(30 * time.Second)
	for {
		select {
		case got := <-s.news:
			if got != name {
				continue
			}
		case <-limit:
			s.t.Fatalf("no %s came", name)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		var v T
		all := s.data[name]
		require.NoError(s.t, json.Unmarshal(all[len(all)-1], &v))
		return v
	}
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

func TestTheWholeProtocolOnARealBus(t *testing.T) {
	servers, runners := realBus(t)
	x := funcs{apply: func(ctx context.Context, r executor.Request) (executor.Outputs, error) {
		if strings.HasPrefix(r.Step, "long") {
			return untilCancelled(ctx, r)
		}
		r.Log("out", "the password is hun")
		r.Log("out", "ter2")
		return executor.Outputs{"in": {Value: r.Inputs}}, nil
	}}
	r := startReal(t, runners, x)
	require.False(t, r.Status().Ready, "it is there before the server")
	s := startServer(t, servers)
	require.Equal(t, "one", await[event.Hello](s, event.RunnerHello).Name)
	require.Eventually(t, func() bool { return r.Status().Ready }, 30*time.Second, time.Millisecond)
	require.Equal(t, "eu", r.Status().Cluster)

	in := func(name string) event.Task {
		return task(named(name), func(t *event.Task) { t.Partition = partition })
	}
	tasks := bus.Address{Key: bus.Tasks("default")}
	short := in("short")
	short.Inputs = s.box.Seal(json.RawMessage(`"hunter2"`))
	s.publish(tasks, event.TaskOffered, short)
	logs := await[event.Logs](s, event.TaskLogs)
	require.Equal(t, []string{"the password is (sensitive)", "(sensitive)"}, []string{logs.Lines[0].Text, logs.Lines[1].Text})
	result := await[event.Result](s, event.TaskFinished)
	require.Nil(t, result.Error)
	require.JSONEq(t, `{"in":"(sensitive)"}`, string(secret.Show(result.Outputs)))

	long := in("long")
	s.publish(tasks, event.TaskOffered, long)
	require.Equal(t, long.TaskRef, await[event.Accepted](s, event.TaskAccepted).TaskRef)
	require.Equal(t, []event.TaskRef{long.TaskRef}, await[event.Heartbeat](s, event.RunnerHeartbeat).Tasks)
	s.publish(bus.Address{Exchange: bus.Control, Key: "pool.default"}, event.TaskCancel, event.CancelTask{TaskRef: long.TaskRef})
	require.Equal(t, fault.Cancelled, await[event.Result](s, event.TaskFinished).Error.Code)

	s.publish(tasks, event.TaskOffered, in("long again"))
	await[event.Accepted](s, event.TaskAccepted)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorContains(t, r.Stop(over), "1 tasks had to be cancelled")
	require.Equal(t, fault.RunnerLost, await[event.Result](s, event.TaskFinished).Error.Code)
}

// BenchmarkNoopOnARealBus is a runner's throughput for tasks that do nothing, from the offer to the result.
func BenchmarkNoopOnARealBus(b *testing.B) {
	servers, runners := realBus(b)
	s := startServer(b, servers)
	r := startReal(b, runners, funcs{})
	require.Eventually(b, func() bool { return r.Status().Ready }, 30*time.Second, time.Millisecond)
	bodies := make([][]byte, b.N)
	for i := range bodies {
		bodies[i] = envelope(event.TaskOffered, task(named(fmt.Sprint(i)), func(t *event.Task) { t.Partition = partition }))
	}
	b.ResetTimer()
	for _, body := range bodies {
		m := bus.Message{To: bus.Address{Key: bus.Tasks("default")}, ContentType: event.ContentType, Body: body}
		require.NoError(b, s.bus.Send(b.Context(), m, func(err error) {
			if err != nil {
				b.Error(err)
			}
		}))
	}
	for range b.N {
		await[event.Result](s, event.TaskFinished)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tasks/s")
}
