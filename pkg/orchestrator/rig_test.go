package orchestrator

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/bus/nats"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/noop"
	"github.com/vivarium-env/vivarium/pkg/runner"
	"github.com/vivarium-env/vivarium/pkg/secret"
	"github.com/vivarium-env/vivarium/pkg/store"
	"github.com/vivarium-env/vivarium/pkg/store/sqlite"
	"github.com/vivarium-env/vivarium/pkg/template"
)

func TestMain(m *testing.M) {
	if settings := os.Getenv(runnerVariable); settings != "" {
		panic(runAlone(settings)) // it ends by being killed
	}
	goleak.VerifyTestMain(m)
}

// patience is how long a test waits for what has to come; it only passes when something is broken, or the machine is very busy.
const patience = 2 * time.Minute

// rig is a real embedded bus, a real store and a real runner around an orchestrator that can be replaced.
type rig struct {
	*testing.T
	dir       string
	embedded  *nats.Embedded
	bus       bus.Bus
	store     *sqlite.Store
	box       *secret.Box
	catalogue *template.Catalogue
	events    chan event.Envelope
	answers   bus.Listener
	answered  chan event.Answer

	policy    environment.Policy
	heartbeat time.Duration
	trace     string // trace context of commands

	// options changes those of the orchestrator that start makes; nil leaves them.
	options func(*Options)

	// faulty wraps what the orchestrator gets; nil is as it is.
	faultyStore func(store.Store) store.Store
	faultyBus   func(bus.Bus) bus.Bus
}

var templates = map[string]string{
	"small": `template "small" {
  version = "1.0.0"
}
resource "noop" "a" {}
resource "noop" "b" {
  count  = 5
  inputs = { a = resource.noop.a.outputs.inputs }
}
`,
	"elsewhere": `template "elsewhere" {
  version = "1.0.0"
}
resource "noop" "a" {
  pool = "elsewhere"
}
`,
	"watched": `template "watched" {
  version = "1.0.0"
}
parameter "port" { type = number }
resource "noop" "a" {
  status {
    url      = "http://127.0.0.1:${param.port}/a"
    interval = "100ms"
  }
}
status "web" {
  url      = "tcp://127.0.0.1:${param.port}"
  interval = "100ms"
}
`}

func newRig(t *testing.T) *rig {
	r := &rig{T: t, dir: t.TempDir(), events: make(chan event.Envelope, 1<<16), answered: make(chan event.Answer, 64)}
	ctx := t.Context()
	for name, text := range templates {
		require.NoError(t, os.MkdirAll(filepath.Join(r.dir, "catalogue", name), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(r.dir, "catalogue", name, "template.hcl"), []byte(text), 0o644))
	}
	embedded, err := nats.StartEmbedded(ctx, nats.EmbeddedOptions{Dir: filepath.Join(r.dir, "bus")})
	require.NoError(t, err)
	r.embedded = embedded
	r.bus, err = embedded.Bus(ctx)
	require.NoError(t, err)
	r.store, err = sqlite.Open(ctx, sqlite.Options{Path: filepath.Join(r.dir, "store.db")})
	require.NoError(t, err)
	key, err := secret.NewKey()
	require.NoError(t, err)
	r.box, err = secret.NewBox(key)
	require.NoError(t, err)
	r.catalogue, err = template.OpenCatalogue(filepath.Join(r.dir, "catalogue"), r.kinds(), nil)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		require.NoError(t, r.bus.Close(ctx))
		require.NoError(t, embedded.Stop(ctx))
		require.NoError(t, r.store.Close())
	})
	return r
}

func (r *rig) kinds() template.Kinds {
	k := noop.New().Kind()
	return template.Kinds{k.Name: k}
}

// start runs an orchestrator until the test ends or stop is called.
func (r *rig) start() (x *Orchestrator, stop func()) {
	r.Helper()
	o := Options{Server: uuid.NewString(), Store: r.store, Bus: r.bus, Catalogue: r.catalogue, Kinds: r.kinds(), Box: r.box,
		ScratchDir: filepath.Join(r.dir, "scratch"), Partitions: 2,
		Policy: r.policy, HeartbeatEvery: r.heartbeat, WatchEvery: time.Second}
	if r.faultyStore != nil {
		o.Store = r.faultyStore(o.Store)
	}
	if r.faultyBus != nil {
		o.Bus = r.faultyBus(o.Bus)
	}
	if r.options != nil {
		r.options(&o)
	}
	x, err := New(o)
	require.NoError(r, err)
	require.NoError(r, x.Start(r.Context()))
	var once sync.Once
	stop = func() {
		once.Do(func() {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			require.NoError(r, x.Stop(ctx))
		})
	}
	r.Cleanup(stop)
	if r.answers == nil {
		r.listen()
	}
	return x, stop
}

func (r *rig) listen() {
	var err error
	r.answers, err = r.bus.Listen(r.Context(), []bus.Address{{Exchange: bus.Events, Key: "#"}}, func(m *bus.Message) {
		e, err := event.Decode(m.Body)
		if err != nil {
			return
		}
		if e.Type != event.AnswerType {
			r.events <- e
			return
		}
		var a event.Answer
		_ = json.Unmarshal(e.Data, &a)
		r.answered <- a
	})
	require.NoError(r, err)
	r.Cleanup(func() { require.NoError(r, r.answers.Stop(context.Background())) })
}

func (r *rig) runner(pool string) (stop func()) {
	r.Helper()
	return r.namedRunner("test-"+pool, pool, r.bus)
}

func (r *rig) namedRunner(name, pool string, b bus.Bus) (stop func()) {
	return r.runnerWith(noop.New(), name, pool, b)
}

func (r *rig) runnerWith(e executor.Executor, name, pool string, b bus.Bus) (stop func()) {
	r.Helper()
	w, err := runner.New(runner.Options{Bus: b, Name: name, WatchEvery: 200 * time.Millisecond, Pools: []string{pool}, Executors: []executor.Executor{e},
		Concurrency: 4, WorkDir: filepath.Join(r.dir, "work-"+name), Box: r.box})
	require.NoError(r, err)
	require.NoError(r, w.Start(r.Context()))
	var once sync.Once
	stop = func() { once.Do(func() { require.NoError(r, w.Stop(context.Background())) }) }
	r.Cleanup(stop)
	return stop
}

// command publishes one and returns its answer.
func (r *rig) command(name, environment string, data any) event.Answer {
	r.Helper()
	return r.answer(r.send("test", name, environment, data))
}

// as is command of somebody.
func (r *rig) as(who, name, environment string, data any) event.Answer {
	r.Helper()
	return r.answer(r.send(who, name, environment, data))
}

// send publishes a command of somebody, and returns its id.
func (r *rig) send(who, name, environment string, data any) (id string) {
	r.Helper()
	body, err := json.Marshal(data)
	require.NoError(r, err)
	e := event.Envelope{SpecVersion: event.SpecVersion, ID: uuid.NewString(), Source: who, Type: event.TypeOf(name), Subject: environment, TraceParent: r.trace, Data: body}
	require.NoError(r, r.bus.Publish(r.Context(), bus.Message{To: bus.Address{Exchange: bus.Commands, Key: name}, ID: e.ID, ReplyTo: r.answers.Address(),
		CorrelationID: e.ID, ContentType: event.ContentType, Body: e.Encode()}))
	return e.ID
}

// answer waits for that to a command; those to others that were sent before are dropped.
func (r *rig) answer(id string) event.Answer {
	r.Helper()
	for timeout := time.After(patience); ; {
		select {
		case a := <-r.answered:
			if a.CommandID == id {
				return a
			}
		case <-timeout:
			r.Fatalf("no answer to %s", id)
		}
	}
}

// await waits until the environment has the status in the store.
func (r *rig) await(name string, want environment.Status) environment.Record {
	r.Helper()
	var record environment.Record
	require.Eventually(r, func() bool {
		var err error
		record, err = r.store.Environment(context.Background(), name)
		return err == nil && record.Status == want
	}, patience, 5*time.Millisecond, "%s never became %s: %+v", name, want, &record)
	return record
}
