package runner

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/bundle"
	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/bus/amqp"
	"github.com/vivarium-env/vivarium/pkg/bus/bustest"
	"github.com/vivarium-env/vivarium/pkg/bus/nats"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/secret"
	"github.com/vivarium-env/vivarium/test/servers"
)

func TestTheWholeProtocolOnTheEmbeddedBus(t *testing.T) {
	server, runner := realBus(t)
	wholeProtocol(t, server, runner)
}

func TestTheWholeProtocolOnRabbitMQ(t *testing.T) {
	wholeProtocol(t, rabbit(t, "server"), rabbit(t, "runner"))
}

// rabbit connects to a real RabbitMQ.
func rabbit(t *testing.T, name string) bus.Bus {
	b, err := amqp.Dial(t.Context(), amqp.Options{URL: servers.SharedRabbitMQ(t).URL(), Name: name})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close(context.Background())) })
	return b
}

func TestALargeStateOnTheEmbeddedBus(t *testing.T) {
	server, runner := realBus(t)
	largeState(t, server, runner)
}

func TestALargeStateOnRabbitMQ(t *testing.T) {
	largeState(t, rabbit(t, "server"), rabbit(t, "runner"))
}

// largeState goes to the runner and back with 5 MB that can't be packed, beside the most that a step's files may have.
func largeState(t *testing.T, servers, runners bus.Bus) {
	before, after := make([]byte, 5_000_000), make([]byte, 5_000_000)
	_, _ = rand.Read(before)
	_, _ = rand.Read(after)
	startReal(t, runners, funcs{apply: func(ctx context.Context, r executor.Request) (executor.Outputs, error) {
		if !bytes.Equal(before, r.State) {
			return nil, fault.New(fault.GiveUp, fault.Internal, "the state came with %d bytes", len(r.State))
		}
		return nil, r.SaveState(ctx, after)
	}})
	s := startServer(t, servers, 500*time.Millisecond)
	offered := task(func(t *event.Task) { t.Partition = partition })
	var err error
	offered.State, err = sealState(s.box, offered.TaskRef, before)
	require.NoError(t, err)
	files := make([]byte, bundle.MaxPacked-1<<16)
	_, _ = rand.Read(files)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "large"), files, 0o600))
	offered.Bundle, err = bundle.Pack(os.DirFS(dir), ".")
	require.NoError(t, err)
	s.publish(bus.Address{Key: bus.Tasks("default")}, event.TaskOffered, offered)
	saved := await[event.State](s, event.TaskState)
	require.Nil(t, await[event.Result](s, event.TaskFinished).Error)
	got, err := OpenState(s.box, saved.TaskRef, saved.Data)
	require.NoError(t, err)
	require.True(t, bytes.Equal(after, got))
}

// wholeProtocol is hello, welcome, task, logs, result, acceptance, heartbeat, cancel and stop.
func wholeProtocol(t *testing.T, servers, runners bus.Bus) {
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
	s := startServer(t, servers, 500*time.Millisecond)
	require.Equal(t, "one", await[event.Hello](s, event.RunnerHello).Name)
	require.Eventually(t, func() bool { return r.Status().Ready }, 30*time.Second, time.Millisecond)
	require.Equal(t, "eu", r.Status().Cluster)
	require.Equal(t, []string{"default"}, await[event.Alive](s, event.RunnerAlive).Pools)

	in := func(name string) event.Task {
		return task(named(name), func(t *event.Task) { t.Partition = partition })
	}
	tasks := bus.Address{Key: bus.Tasks("default")}
	short := in("short")
	short.Inputs = s.box.Seal(json.RawMessage(`"hunter2"`))
	s.publish(tasks, event.TaskOffered, short)
	s.awaitAll(event.TaskLogs, event.TaskFinished)
	logs := last[event.Logs](s, event.TaskLogs)
	require.Equal(t, []string{"the password is (sensitive)", "(sensitive)"}, []string{logs.Lines[0].Text, logs.Lines[1].Text})
	result := last[event.Result](s, event.TaskFinished)
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

// TestARunnerResumesAfterACut cuts the runner's connection for less than its lease.
func TestARunnerResumesAfterACut(t *testing.T) {
	embedded := embeddedBus(t, "127.0.0.1:0")
	servers, err := embedded.Bus(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, servers.Close(context.Background())) })
	proxy, err := bustest.NewProxy(embedded.Address())
	require.NoError(t, err)
	t.Cleanup(proxy.Close)
	runners, err := nats.Connect(t.Context(), nats.Options{URL: "nats://" + proxy.Address()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, runners.Close(context.Background())) })

	gate := make(chan struct{})
	x := funcs{apply: func(ctx context.Context, _ executor.Request) (executor.Outputs, error) {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-gate:
			return nil, nil
		}
	}}
	s := startServer(t, servers, 3*time.Second) // a lease of nine: much more than a cut takes
	r := startReal(t, runners, x)
	require.Eventually(t, func() bool { return r.Status().Ready }, 30*time.Second, time.Millisecond)
	offered := task(func(t *event.Task) { t.Partition = partition })
	s.publish(bus.Address{Key: bus.Tasks("default")}, event.TaskOffered, offered)
	await[event.Accepted](s, event.TaskAccepted)

	proxy.Deaf()
	require.Eventually(t, func() bool { return !r.Status().Ready }, 30*time.Second, time.Millisecond)
	proxy.Hear()
	require.Eventually(t, func() bool { return r.Status().Ready }, 30*time.Second, time.Millisecond)
	back := time.Now()
	for h := (event.Heartbeat{}); h.Time.Before(back); h = await[event.Heartbeat](s, event.RunnerHeartbeat) {
		require.LessOrEqual(t, len(h.Tasks), 1)
	}
	close(gate)
	result := await[event.Result](s, event.TaskFinished)
	require.Nil(t, result.Error)
	require.Equal(t, offered.TaskRef, result.TaskRef)
}

// BenchmarkNoopOnARealBus is a runner's throughput for tasks that do nothing, from the offer to the result.
func BenchmarkNoopOnARealBus(b *testing.B) {
	servers, runners := realBus(b)
	s := startServer(b, servers, 5*time.Second)
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
