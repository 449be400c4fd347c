package runner

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/secret"
	"github.com/vivarium-env/vivarium/pkg/template"
	"github.com/vivarium-env/vivarium/test/servers"
)

func TestMain(m *testing.M) { servers.Main(m) }

// funcs is an executor made of functions; a nil one does nothing.
type funcs struct {
	name    string
	apply   func(context.Context, executor.Request) (executor.Outputs, error)
	destroy func(context.Context, executor.Request) error
	observe func(context.Context, executor.Request) (event.Presence, error)
	plan    func(executor.Request, event.Verb) (executor.Plan, error)
	look    func(executor.Request) (event.Observation, error)
}

func (f funcs) Kind() template.Kind { return template.Kind{Name: f.name} }

func (f funcs) Apply(ctx context.Context, r executor.Request) (executor.Outputs, error) {
	if f.apply == nil {
		return nil, nil
	}
	return f.apply(ctx, r)
}

func (f funcs) Destroy(ctx context.Context, r executor.Request) error {
	if f.destroy == nil {
		return nil
	}
	return f.destroy(ctx, r)
}

func (f funcs) Plan(_ context.Context, r executor.Request, verb event.Verb) (executor.Plan, error) {
	if f.plan == nil {
		return executor.Plan{}, nil
	}
	return f.plan(r, verb)
}

func (f funcs) Observe(ctx context.Context, r executor.Request) (event.Observation, error) {
	if f.look != nil {
		return f.look(r)
	}
	if f.observe == nil {
		return executor.Look(event.Absent, nil)
	}
	return executor.Look(f.observe(ctx, r))
}

// aimed is an executor whose tasks have a target.
type aimed struct {
	funcs
	target func(executor.Request) string
}

func (a aimed) Target(r executor.Request) string { return a.target(r) }

// untilCancelled works until its context ends.
func untilCancelled(ctx context.Context, _ executor.Request) (executor.Outputs, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// rig is a runner on a bus within the test, and what was heard of it.
type rig struct {
	t      *testing.T
	bus    *memoryBus
	box    *secret.Box
	runner *Runner
	logged *safeBuffer
}

type safeBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func newBox(t testing.TB) *secret.Box {
	key, err := secret.NewKey()
	require.NoError(t, err)
	box, err := secret.NewBox(key)
	require.NoError(t, err)
	return box
}

// inBubble runs a test with a runner that has one executor, "x", on the bubble's clock.
func inBubble(t *testing.T, x funcs, test func(*testing.T, *rig), changes ...func(*Options)) {
	synctest.Test(t, func(t *testing.T) { test(t, start(t, x, changes...)) })
}

func start(t *testing.T, x funcs, changes ...func(*Options)) *rig {
	g := prepare(t, x, changes...)
	require.NoError(t, g.runner.Start(t.Context()))
	g.settle()
	return g
}

func prepare(t *testing.T, x funcs, changes ...func(*Options)) *rig {
	x.name = "x"
	g := &rig{t: t, bus: newMemoryBus(), box: newBox(t), logged: &safeBuffer{}}
	o := Options{
		Bus: g.bus, Name: "one", Pools: []string{"default"}, Executors: []executor.Executor{x}, Concurrency: 2,
		WorkDir: t.TempDir(), Box: g.box, Log: slog.New(slog.NewTextHandler(g.logged, nil)),
	}
	for _, change := range changes {
		change(&o)
	}
	var err error
	g.runner, err = New(o)
	require.NoError(t, err)
	t.Cleanup(func() {
		g.bus.release()
		_ = g.stop(0)
		<-time.After(time.Hour) // of the bubble's clock: go-resiliency's goroutines end with their cool-downs
	})
	return g
}

func (g *rig) settle() { synctest.Wait() }

// pass lets time go by, and waits for what it brings.
func (g *rig) pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func (g *rig) stop(patience time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return g.runner.Stop(ctx)
}

func task(changes ...func(*event.Task)) event.Task {
	t := event.Task{
		TaskRef: event.TaskRef{Environment: "notes", Operation: "op", Step: "notes.x.a", Attempt: 1, Partition: 3, Epoch: 1},
		Verb:    event.Apply, Executor: "x", AcceptBefore: time.Now().Add(time.Hour),
	}
	for _, change := range changes {
		change(&t)
	}
	return t
}

func named(step string) func(*event.Task) { return func(t *event.Task) { t.Step = step } }

func envelope(name string, data any) []byte {
	return event.Envelope{
		SpecVersion: event.SpecVersion, ID: "m1", Source: "test", Type: event.TypeOf(name), Data: encode(data),
	}.Encode()
}

// offer delivers a task and waits until all that happens at once has happened.
func (g *rig) offer(t event.Task) *memoryDelivery {
	return g.deliver(&memoryDelivery{message: bus.Message{Body: envelope(event.TaskOffered, t)}})
}

func (g *rig) deliver(d *memoryDelivery) *memoryDelivery {
	g.bus.consumer(bus.Tasks("default")).in <- d
	g.settle()
	return d
}

// tell sends what servers say to runners.
func (g *rig) tell(name string, data any) {
	g.bus.hear(&bus.Message{Body: envelope(name, data)})
	g.settle()
}

// sent decodes the data of all messages of a name, as they were confirmed.
func sent[T any](g *rig, name string) []T {
	var all []T
	for _, m := range g.bus.messages() {
		e, err := event.Decode(m.Body)
		require.NoError(g.t, err)
		if e.Type == event.TypeOf(name) {
			var one T
			require.NoError(g.t, json.Unmarshal(e.Data, &one))
			all = append(all, one)
		}
	}
	return all
}

// first is the first message of a name.
func (g *rig) first(name string) bus.Message {
	for _, m := range g.bus.messages() {
		if m.Type == event.TypeOf(name) {
			return m
		}
	}
	require.Fail(g.t, "there is no message "+name)
	return bus.Message{}
}

func (g *rig) results() []event.Result { return sent[event.Result](g, event.TaskFinished) }

// result is the only result so far.
func (g *rig) result() event.Result {
	all := g.results()
	require.Len(g.t, all, 1)
	return all[0]
}

func (g *rig) refusals() []event.Refused { return sent[event.Refused](g, event.TaskRefused) }
