package docker

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/client"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/executortest"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/secret"
	"github.com/vivarium-env/vivarium/test/servers"
)

// patience bounds every wait of a test.
const patience = 60 * time.Second

func TestMain(m *testing.M) {
	code := m.Run()
	servers.StopSharedDocker()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, "goroutines are left after the tests:", err)
			code = 1
		}
	}
	os.Exit(code)
}

// sample is the image of servers.SampleApp on the shared engine.
const sample = "sample:1"

// engine is the shared engine, with the sample's image.
func engine(t *testing.T) *servers.Docker {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a Docker Engine")
	}
	d := servers.SharedDocker(t)
	ensureSample(t, d)
	return d
}

func ensureSample(t *testing.T, d *servers.Docker) {
	t.Helper()
	c := dial(t, d)
	if _, err := c.ImageInspect(t.Context(), sample); err != nil {
		require.NoError(t, d.Image(t.Context(), sample, servers.SampleApp))
	}
}

// dial is a client of the test's own.
func dial(t *testing.T, d *servers.Docker) *client.Client {
	t.Helper()
	c, err := d.Client()
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func box() *secret.Box {
	b, err := secret.NewBox([]byte(strings.Repeat("s", secret.KeySize)))
	if err != nil {
		panic(err) // the key has its size
	}
	return b
}

// bed is an executor with one step on the shared engine.
type bed struct {
	*Executor
	*testing.T
	engine  *servers.Docker
	docker  *client.Client
	request executor.Request
	log     *executortest.Log
}

// newBed has an environment of its own, which is destroyed in the end. Its test runs beside others, after those that run alone.
func newBed(t *testing.T, inputs string) *bed {
	t.Helper()
	t.Parallel()
	return makeBed(t, inputs)
}

// lonely is a bed of a test that runs alone: it stops the engine, or wants a port that nobody else may get.
func lonely(t *testing.T, inputs string) *bed {
	t.Helper()
	b := makeBed(t, inputs)
	t.Cleanup(func() { // for the tests that follow
		_ = b.engine.Resume() // where it is paused
		require.NoError(t, b.engine.Start(context.Background()))
	})
	return b
}

func makeBed(t *testing.T, inputs string) *bed {
	t.Helper()
	d := engine(t)
	e := New(Options{Host: d.Host(), Key: box})
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	log := &executortest.Log{}
	b := &bed{Executor: e, T: t, engine: d, docker: dial(t, d), log: log, request: executor.Request{
		TaskRef: event.TaskRef{Environment: strings.ToLower(t.Name()), Operation: "op-1", Step: "t.container.api", Attempt: 1, Epoch: 1},
		Inputs:  json.RawMessage(inputs), Log: log.Add,
	}}
	t.Cleanup(func() {
		if !t.Failed() {
			return
		}
		t.Logf("the log: %q", log.Take())
	})
	t.Cleanup(func() { require.NoError(t, e.Destroy(context.Background(), b.request)) })
	return b
}

// inputs sets others.
func (b *bed) inputs(text string, args ...any) {
	b.request.Inputs = json.RawMessage(fmt.Sprintf(text, args...))
}

// apply succeeds, and keeps the outputs as the server does.
func (b *bed) apply() outputs {
	b.Helper()
	got, err := b.Apply(b.Context(), b.request)
	require.NoError(b.T, err)
	values := map[string]json.RawMessage{}
	for name, v := range got {
		values[name] = v.Value
	}
	text, err := json.Marshal(values)
	require.NoError(b.T, err)
	b.request.Outputs = text
	var o outputs
	require.NoError(b.T, json.Unmarshal(text, &o))
	return o
}

type outputs struct {
	Names     []string       `json:"names"`
	ImageID   string         `json:"image_id"`
	Addresses []string       `json:"addresses"`
	Ports     map[string]int `json:"ports"`
	URL       string         `json:"url"`
	Host      string         `json:"host"`
}

// fails applies and wants that code.
func (b *bed) fails(code fault.Code, says ...string) *fault.Error {
	b.Helper()
	_, err := b.Apply(b.Context(), b.request)
	require.Equal(b.T, code, fault.From(err).Code, "%v", err)
	f := fault.From(err)
	for _, part := range says {
		require.Contains(b.T, f.Message, part)
	}
	return f
}

func (b *bed) observe() event.Observation {
	b.Helper()
	o, err := b.Observe(b.Context(), b.request)
	require.NoError(b.T, err)
	return o
}

func (b *bed) plan() event.Plan {
	b.Helper()
	p, err := b.Plan(b.Context(), b.request, event.Apply)
	require.NoError(b.T, err)
	return p.Plan
}

// containers are the names of all that there are of the step, in whatever state.
func (b *bed) containers() []string {
	b.Helper()
	var names []string
	w, err := b.begin(b.Context(), b.request)
	require.NoError(b.T, err)
	all, err := w.list(b.Context())
	require.NoError(b.T, err)
	for _, f := range all {
		names = append(names, f.Called())
	}
	return names
}

// eventually waits for a condition.
func eventually(t *testing.T, condition func() bool, message ...any) {
	t.Helper()
	require.Eventually(t, condition, patience, 10*time.Millisecond, message...)
}
