package orchestrator

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/noop"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// patient is a server whose health is decided by the test.
type patient struct {
	*httptest.Server
	ill atomic.Bool
}

func newPatient(t *testing.T) *patient {
	p := &patient{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if p.ill.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *patient) create(r *rig, name string) {
	r.Helper()
	_, port, err := net.SplitHostPort(p.Listener.Addr().String())
	require.NoError(r, err)
	answer := r.command(event.EnvironmentCreate, name, event.Create{Templates: []string{"watched"}, Parameters: map[string]json.RawMessage{"port": json.RawMessage(port)}})
	require.True(r, answer.Accepted, "%v", answer.Error)
	r.await(name, environment.Deployed)
}

// health waits until the environment's is as wanted.
func (r *rig) health(name, want string) environment.Record {
	r.Helper()
	var record environment.Record
	require.Eventually(r, func() bool {
		var err error
		record, err = r.store.Environment(context.Background(), name)
		return err == nil && record.Health != nil && record.Health.Status == want
	}, patience, 20*time.Millisecond, "%s never became %s: %+v", name, want, &record)
	return record
}

func TestHealthIsWatched(t *testing.T) {
	r := newRig(t)
	_, stop := r.start()
	r.runner("default")
	p := newPatient(t)
	p.create(r, "one")
	record := r.health("one", "healthy")
	require.Equal(t, &environment.HealthSummary{Status: "healthy", Healthy: 2}, record.Health)

	p.ill.Store(true)
	record = r.health("one", environment.Degraded)
	require.Equal(t, &environment.HealthSummary{Status: environment.Degraded, Healthy: 1, Unhealthy: 1}, record.Health)
	resources, _, err := r.store.Resources(t.Context(), "one", store.Page{})
	require.NoError(t, err)
	require.Equal(t, "watched.noop.a", resources[0].Address)
	require.Contains(t, resources[0].Health.Detail, "status 503")
	require.Equal(t, environment.StateComplete, resources[0].Step.State, "the step is what it was")

	stop() // whoever owns the partition next goes on
	p.ill.Store(false)
	r.start()
	r.health("one", "healthy")
	p.Close()
	require.Eventually(t, func() bool { return r.health("one", environment.Degraded).Health.Unhealthy == 2 }, patience, 20*time.Millisecond)

	require.True(t, r.command(event.EnvironmentDestroy, "one", event.Destroy{}).Accepted)
	require.Nil(t, r.await("one", environment.Destroyed).Health)
	r.everyEntryIsPublishedInOrder("one")
}

// deaf is the bus of a runner that is killed: nothing that it says arrives any more.
type deaf struct {
	bus.Bus
	dead atomic.Bool
}

func (d *deaf) Send(ctx context.Context, m bus.Message, done func(error)) error {
	if d.dead.Load() {
		go done(nil)
		return nil
	}
	return d.Bus.Send(ctx, m, done)
}

func TestAnotherRunnerGoesOnWatching(t *testing.T) {
	r := newRig(t)
	x, _ := r.start()
	buses := map[string]*deaf{}
	for i := range 2 {
		name := "runner-" + strconv.Itoa(i)
		buses[name] = &deaf{Bus: r.bus}
		r.namedRunner(name, "default", buses[name])
	}
	require.Eventually(t, func() bool { return len(x.Status().Runners) == 2 }, patience, 10*time.Millisecond)
	p := newPatient(t)
	p.create(r, "one")
	p.ill.Store(true)
	r.health("one", environment.Degraded)
	watching := func() string {
		resources, _, err := r.store.Resources(context.Background(), "one", store.Page{})
		require.NoError(t, err)
		return resources[0].Health.Runner
	}
	first := watching()
	for name, b := range buses {
		if first[:len(name)] == name {
			b.dead.Store(true)
		}
	}
	p.ill.Store(false)
	r.health("one", "healthy")
	require.NotEqual(t, first, watching())
	for _, b := range buses {
		b.dead.Store(true)
	}
	record := r.health("one", "unknown")
	require.Equal(t, 2, record.Health.Unknown, "nobody is there to ask")
	resources, _, err := r.store.Resources(t.Context(), "one", store.Page{})
	require.NoError(t, err)
	require.Contains(t, resources[0].Health.Detail, "no runner of pool")
}

func TestNobodyMeasures(t *testing.T) {
	r := newRig(t)
	x, _ := r.start()
	r.runner("default")
	p := newPatient(t)
	p.create(r, "one")
	_, err := x.Usage(t.Context(), "one", "watched.noop.a")
	require.True(t, fault.Is(err, fault.NotMeasured), "%v", err)
	require.ErrorContains(t, err, "can't be measured")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = x.Usage(ctx, "two", "watched.noop.a")
	require.True(t, fault.Is(err, fault.NotMeasured), "%v", err)
}

// ticking is an executor whose resources print what time it is, every 20 ms since the beginning of time.
type ticking struct {
	executor.Executor
	began time.Time
}

func (e ticking) Follow(ctx context.Context, _ executor.Request, since time.Time, line func(time.Time, string, string)) error {
	const every = 20 * time.Millisecond
	for at := e.began; ctx.Err() == nil; at = at.Add(every) {
		select {
		case <-time.After(time.Until(at)):
		case <-ctx.Done():
			return nil
		}
		if !at.Before(since) {
			line(at, "out", strconv.Itoa(int(at.Sub(e.began)/every)))
		}
	}
	return nil
}

// TestOutputIsFollowedByOneRunnerAfterTheOther: whoever is next goes on behind what is kept, and nothing is lost.
func TestOutputIsFollowedByOneRunnerAfterTheOther(t *testing.T) {
	r := newRig(t)
	x, _ := r.start()
	e := ticking{noop.New(), time.Now()}
	stops := map[string]func(){}
	for _, name := range []string{"first", "second"} {
		stops[name] = r.runnerWith(e, name, "default", r.bus)
	}
	require.Eventually(t, func() bool { return len(x.Status().Runners) == 2 }, patience, 10*time.Millisecond)
	p := newPatient(t)
	p.create(r, "one")
	printed := func() []store.LogRecord {
		all, err := r.store.ReadLogs(context.Background(), store.LogSelection{Environment: "one", Step: "watched.noop.a", Limit: 10_000})
		require.NoError(t, err)
		return slices.DeleteFunc(all, func(l store.LogRecord) bool { return l.Attempt != 0 })
	}
	require.Eventually(t, func() bool { return len(printed()) > 20 }, patience, 20*time.Millisecond)
	for i, name := range []string{"first", "second"} {
		stops[name]()
		if i == 0 {
			n := len(printed())
			require.Eventually(t, func() bool { return len(printed()) > n+100 }, patience, 20*time.Millisecond)
		}
	}
	seen, highest := map[string]bool{}, 0
	for _, l := range printed() {
		n, err := strconv.Atoi(l.Text)
		require.NoError(t, err)
		seen[l.Text], highest = true, max(highest, n)
	}
	require.Len(t, seen, highest+1, "each line is there")
}
