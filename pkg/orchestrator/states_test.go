package orchestrator

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/noop"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/runner"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// saver is an executor of the kind noop that does as the test says.
type saver struct {
	*noop.Executor
	apply   func(context.Context, executor.Request) (executor.Outputs, error)
	destroy func(context.Context, executor.Request) error
}

func (s saver) Apply(ctx context.Context, r executor.Request) (executor.Outputs, error) {
	return s.apply(ctx, r)
}

func (s saver) Destroy(ctx context.Context, r executor.Request) error {
	if s.destroy == nil {
		return nil
	}
	return s.destroy(ctx, r)
}

func (s saver) Observe(context.Context, executor.Request) (event.Observation, error) {
	return executor.Look(event.Absent, nil)
}

// saving runs a runner of its own folder with the executor.
func (r *rig) saving(name string, s saver) (stop func()) {
	s.Executor = noop.New()
	w, err := runner.New(runner.Options{Bus: r.bus, Name: name, Pools: []string{"elsewhere"}, Executors: []executor.Executor{s},
		WorkDir: filepath.Join(r.dir, "work-"+name), Box: r.box})
	require.NoError(r, err)
	require.NoError(r, w.Start(r.Context()))
	var once sync.Once
	stop = func() { once.Do(func() { require.NoError(r, w.Stop(context.Background())) }) }
	r.Cleanup(stop)
	return stop
}

// theStep is the only one of the template.
const theStep = "elsewhere.noop.a"

func (r *rig) create(name string) {
	r.Helper()
	answer := r.command(event.EnvironmentCreate, name, event.Create{Templates: []string{"elsewhere"}})
	require.True(r, answer.Accepted, "%+v", answer.Error)
}

func (r *rig) destroy(name string) {
	r.Helper()
	answer := r.command(event.EnvironmentDestroy, name, event.Destroy{})
	require.True(r, answer.Accepted, "%+v", answer.Error)
}

func (r *rig) journal(name string) []store.Entry {
	r.Helper()
	entries, err := r.store.Entries(r.Context(), store.Selection{Partition: -1, Environment: name})
	require.NoError(r, err)
	return entries
}

func TestWhatAnExecutorSavesIsThereForTheNextRunner(t *testing.T) {
	r := newRig(t)
	_, stop := r.start()
	var seen []string // by one runner after the other
	stopFirst := r.saving("first", saver{apply: func(ctx context.Context, q executor.Request) (executor.Outputs, error) {
		seen = append(seen, string(q.State))
		for _, s := range []string{"made: a", "made: a, b"} {
			if err := q.SaveState(ctx, []byte(s)); err != nil {
				return nil, err
			}
		}
		if len(seen) < 2 {
			return nil, fault.New(fault.Retry, fault.ExecutorFailed, "shaky")
		}
		return nil, q.SaveState(ctx, []byte("made: a, b, c"))
	}})
	r.create("one")
	r.await("one", environment.Deployed)
	require.Equal(t, []string{"", "made: a, b"}, seen)
	stopFirst()
	stop() // and the server is another one

	kept, err := r.store.State(t.Context(), "one", theStep)
	require.NoError(t, err)
	require.NotContains(t, string(kept.Data), "made")
	require.Len(t, kept.Hash, 64)
	saved := 0
	for _, e := range r.journal("one") {
		require.NotContains(t, string(e.Data), string(kept.Data))
		if e.Type == (environment.StateSaved{}).Type() {
			saved++
		}
	}
	require.Equal(t, 5, saved)

	r.start()
	r.saving("second", saver{destroy: func(_ context.Context, q executor.Request) error {
		seen = append(seen, string(q.State))
		return nil
	}})
	r.destroy("one")
	r.await("one", environment.Destroyed)
	require.Equal(t, "made: a, b, c", seen[2])
	_, err = r.store.State(t.Context(), "one", theStep)
	require.ErrorIs(t, err, store.ErrNotFound, "nothing is left that it could tell of")
}

// amnesiac is a store that can't be asked for states, or has lost them. The files of a real one can't be made to fail
// for one question and not for the next.
type amnesiac struct {
	store.Store
	failures atomic.Int64
	lost     atomic.Bool
}

func (a *amnesiac) State(ctx context.Context, environment, step string) (store.StepState, error) {
	if a.failures.Add(-1) >= 0 {
		return store.StepState{}, errors.New("disk I/O error")
	}
	if a.lost.Load() {
		return store.StepState{}, store.ErrNotFound
	}
	return a.Store.State(ctx, environment, step)
}

func TestNoTaskIsOfferedWithoutItsState(t *testing.T) {
	r := newRig(t)
	forgets := &amnesiac{}
	r.faultyStore = func(s store.Store) store.Store { forgets.Store = s; return forgets }
	r.start()
	var destroys atomic.Int64
	r.saving("only", saver{
		apply: func(ctx context.Context, q executor.Request) (executor.Outputs, error) {
			return nil, q.SaveState(ctx, []byte("made: "+q.Environment))
		},
		destroy: func(_ context.Context, q executor.Request) error {
			destroys.Add(1)
			if string(q.State) != "made: "+q.Environment {
				return fault.New(fault.GiveUp, fault.Internal, "it has the state %q", q.State)
			}
			return nil
		},
	})
	r.create("held")
	r.create("gone")
	r.await("held", environment.Deployed)
	r.await("gone", environment.Deployed)

	forgets.failures.Store(3)
	r.destroy("held") // answered once the store has answered
	r.await("held", environment.Destroyed)
	require.Negative(t, forgets.failures.Load(), "it was asked again")

	forgets.lost.Store(true)
	r.destroy("gone")
	record := r.await("gone", environment.DestroyFailed)
	require.Equal(t, fault.NotFound, record.Error.Code)
	require.Contains(t, record.Error.Message, "restore the store from a backup")
	require.EqualValues(t, 1, destroys.Load(), "the one whose state was there")
	forgets.lost.Store(false)
	require.True(t, r.command(event.EnvironmentRetry, "gone", event.Retry{}).Accepted)
	r.await("gone", environment.Destroyed)
}

func TestAStateThatComesTooLateIsADeadLetter(t *testing.T) {
	r := newRig(t)
	r.start()
	r.saving("only", saver{apply: func(ctx context.Context, q executor.Request) (executor.Outputs, error) {
		return nil, q.SaveState(ctx, []byte("of the one that has the step"))
	}})
	r.create("one")
	record := r.await("one", environment.Deployed)
	kept, err := r.store.State(t.Context(), "one", theStep)
	require.NoError(t, err)

	dead := make(chan bus.Message, 10)
	sub, err := r.bus.Consume(t.Context(), bus.ConsumeOptions{Queue: bus.DeadLetters, Prefetch: 8}, func(d bus.Delivery) {
		dead <- *d.Message()
		d.Ack()
	})
	require.NoError(t, err)
	defer func() { require.NoError(t, sub.Stop(context.Background())) }()
	late := event.State{TaskRef: event.TaskRef{Environment: "one", Operation: "op-1", Step: theStep, Attempt: 0, Partition: record.Partition, Epoch: 1},
		Runner: "lost/1", Number: 7, Data: "v1.what-the-lost-one-made"}
	body, err := json.Marshal(late)
	require.NoError(t, err)
	e := event.Envelope{SpecVersion: event.SpecVersion, ID: "late", Source: "lost", Type: event.TypeOf(event.TaskState), Data: body}
	require.NoError(t, r.bus.Publish(t.Context(), bus.Message{To: bus.Address{Key: bus.Partition(record.Partition)}, ID: "late", Body: e.Encode()}))
	m := <-dead
	require.Equal(t, string(fault.Conflict), m.Headers[bus.HeaderReason])
	require.Contains(t, string(m.Body), late.Data, "what it says is not lost")

	entries := r.journal("one")
	var refused environment.TaskRefused
	require.Equal(t, refused.Type(), entries[len(entries)-1].Type)
	require.NoError(t, json.Unmarshal(entries[len(entries)-1].Data, &refused))
	require.Equal(t, len(late.Data), refused.State.Size)
	require.Len(t, refused.State.Hash, 64)
	again, err := r.store.State(t.Context(), "one", theStep)
	require.NoError(t, err)
	require.Equal(t, kept, again)
}

// narrow is a bus that takes no large tasks, as a NATS server does whose max_payload was left at 1 MB; at a size that
// costs the tests less.
type narrow struct{ bus.Bus }

const narrowWidth = 64 << 10

func (n narrow) Send(ctx context.Context, m bus.Message, done func(error)) error {
	if strings.HasPrefix(m.To.Key, bus.Tasks("")) && len(m.Body) > narrowWidth {
		return fault.New(fault.Reject, fault.Invalid, "the message has %d bytes; %d are possible", len(m.Body), narrowWidth)
	}
	return n.Bus.Send(ctx, m, done)
}

// TestATaskTooLargeForTheBusFailsItsStep: it would lapse and be offered again for ever.
func TestATaskTooLargeForTheBusFailsItsStep(t *testing.T) {
	r := newRig(t)
	r.faultyBus = func(b bus.Bus) bus.Bus { return narrow{b} }
	r.start()
	r.saving("only", saver{apply: func(ctx context.Context, q executor.Request) (executor.Outputs, error) {
		state := make([]byte, narrowWidth)
		_, _ = rand.Read(state)
		return nil, q.SaveState(ctx, state)
	}})
	r.create("one")
	r.await("one", environment.Deployed)
	r.destroy("one")
	record := r.await("one", environment.DestroyFailed)
	require.Equal(t, fault.Invalid, record.Error.Code)
	require.Contains(t, record.Error.Message, theStep)
	require.Contains(t, record.Error.Message, "65536 are possible")
}
