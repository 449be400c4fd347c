package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/store"
	"github.com/vivarium-env/vivarium/pkg/template"
)

func TestCreateAndDestroy(t *testing.T) {
	r := newRig(t)
	r.start()
	r.runner("default")
	require.True(t, r.command(event.EnvironmentCreate, "one", event.Create{Templates: []string{"small"}}).Accepted)
	record := r.await("one", environment.Deployed)
	require.Equal(t, 6, record.Resources[environment.Deployed])
	require.True(t, r.command(event.EnvironmentDestroy, "one", event.Destroy{}).Accepted)
	r.await("one", environment.Destroyed)
	r.everyEntryIsPublishedInOrder("one")
	again := r.command(event.EnvironmentCreate, "one", event.Create{Templates: []string{"small@1.0.0"}})
	require.True(t, again.Accepted, "a name may be used again: %v", again.Error)
	require.Equal(t, "op-3", again.Operation)
	r.await("one", environment.Deployed)
}

// TestTheJournalsChainHolds for commands with a trace context, too, which their entries carry on.
func TestTheJournalsChainHolds(t *testing.T) {
	r := newRig(t)
	r.trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	r.start()
	r.runner("default")
	require.True(t, r.command(event.EnvironmentCreate, "one", event.Create{Templates: []string{"small"}}).Accepted)
	r.await("one", environment.Deployed)
	entries, err := r.store.Entries(t.Context(), store.Selection{Partition: r.partitionOf("one")})
	require.NoError(t, err)
	chain := ""
	for _, e := range entries {
		require.Equal(t, store.Link(chain, e), e.Chain, "entry %d, %s", e.Seq, e.Type)
		chain = e.Chain
	}
	require.Equal(t, r.trace, entries[0].TraceParent)
}

// everyEntryIsPublishedInOrder reads events until it has seen all of the journal, in order but for second copies.
func (r *rig) everyEntryIsPublishedInOrder(name string) {
	r.Helper()
	entries, err := r.store.Entries(r.Context(), store.Selection{Partition: -1, Environment: name})
	require.NoError(r, err)
	timeout := time.After(patience)
	seen := map[string]bool{}
	for next := 0; next < len(entries); {
		select {
		case e := <-r.events:
			if e.Subject != name || seen[e.ID] {
				continue
			}
			seen[e.ID] = true
			require.Equal(r, strconv.FormatUint(entries[next].Seq, 10), e.Sequence)
			require.Equal(r, event.TypeOf(entries[next].Type), e.Type)
			next++
		case <-timeout:
			r.Fatalf("%d of %d entries were published", next, len(entries))
		}
	}
}

// shaky is a store that can't be written now and then. A full disk is real in the tests of the store's driver; here it
// has to come at every place of a deployment, which no disk can be made to do.
type shaky struct {
	store.Store
	calls atomic.Int64
}

func (s *shaky) Append(ctx context.Context, b store.Batch) error {
	if s.calls.Add(1)%3 != 0 {
		return errors.New("no space left on device")
	}
	return s.Store.Append(ctx, b)
}

func TestAStoreThatFailsNowAndThenLosesNothing(t *testing.T) {
	r := newRig(t)
	r.faultyStore = func(s store.Store) store.Store { return &shaky{Store: s} }
	r.start()
	r.runner("default")
	require.True(t, r.command(event.EnvironmentCreate, "one", event.Create{Templates: []string{"small"}}).Accepted)
	r.await("one", environment.Deployed)
	r.everyEntryIsPublishedInOrder("one")
}

// meddler lets another server write into the partition just before this one does.
type meddler struct {
	store.Store
	calls atomic.Int64
}

func (m *meddler) Append(ctx context.Context, b store.Batch) error {
	if m.calls.Add(1)%3 == 1 {
		e := b.Entries[0]
		e.Environment, e.Type, e.Data = "meddled", environment.CommandRejected{}.Type(), []byte(`{"command_id":"m","command":"x"}`)
		if err := m.Store.Append(ctx, store.Batch{Partition: b.Partition, Epoch: b.Epoch, Entries: []store.Entry{e}}); err != nil {
			return err
		}
	}
	return m.Store.Append(ctx, b)
}

func TestAnOwnerThatWasOvertakenLoadsAgain(t *testing.T) {
	r := newRig(t)
	r.faultyStore = func(s store.Store) store.Store { return &meddler{Store: s} }
	r.start()
	r.runner("default")
	require.True(t, r.command(event.EnvironmentCreate, "one", event.Create{Templates: []string{"small"}}).Accepted)
	r.await("one", environment.Deployed)
	r.everyEntryIsPublishedInOrder("one")
}

// forgetful is a bus that does not confirm the first copy of every fourth event, and has not stored it either.
type forgetful struct {
	bus.Bus
	calls  atomic.Int64
	copies sync.Map
}

func (f *forgetful) Send(ctx context.Context, m bus.Message, done func(error)) error {
	if _, again := f.copies.LoadOrStore(m.ID, true); m.To.Exchange == bus.Events && !again && f.calls.Add(1)%4 == 0 {
		go done(errors.New("not confirmed"))
		return nil
	}
	return f.Bus.Send(ctx, m, done)
}

func TestEventsThatWereNotConfirmedAreRepeated(t *testing.T) {
	r := newRig(t)
	r.faultyBus = func(b bus.Bus) bus.Bus { return &forgetful{Bus: b} }
	r.start()
	r.runner("default")
	require.True(t, r.command(event.EnvironmentCreate, "one", event.Create{Templates: []string{"small"}}).Accepted)
	record := r.await("one", environment.Deployed)
	require.Eventually(t, func() bool {
		head, err := r.store.Head(context.Background(), record.Partition)
		return err == nil && head.Relayed == head.Seq
	}, patience, 10*time.Millisecond)
	entries, err := r.store.Entries(t.Context(), store.Selection{Partition: -1, Environment: "one"})
	require.NoError(t, err)
	last := map[string]bool{}
	for len(last) < len(entries) {
		select {
		case e := <-r.events:
			last[e.Sequence] = true
		case <-time.After(patience):
			t.Fatalf("%d of %d entries were published", len(last), len(entries))
		}
	}
}

func TestARestartGoesOnAndAsksForNoTemplate(t *testing.T) {
	r := newRig(t)
	_, stop := r.start()
	require.True(t, r.command(event.EnvironmentCreate, "one", event.Create{Templates: []string{"small"}}).Accepted)
	r.await("one", environment.Deploying)
	stop()
	r.catalogue = nil
	x, err := New(Options{Server: "second", Store: r.store, Bus: r.bus, Catalogue: nowhere{}, Kinds: r.kinds(), Box: r.box, ScratchDir: r.dir + "/again", Partitions: 2})
	require.NoError(t, err)
	require.NoError(t, x.Start(t.Context()))
	defer func() { require.NoError(t, x.Stop(context.Background())) }()
	r.runner("default")
	r.await("one", environment.Deployed)
	require.True(t, r.command(event.EnvironmentDestroy, "one", event.Destroy{}).Accepted)
	r.await("one", environment.Destroyed)
}

type nowhere struct{}

func (nowhere) Get(context.Context, string) (*template.Template, error) {
	return nil, fault.New(fault.Reject, fault.UnknownTemplate, "the catalogue is gone")
}

func TestAStepWithoutARunnerSaysWhy(t *testing.T) {
	r := newRig(t)
	x, _ := r.start()
	require.True(t, r.command(event.EnvironmentCreate, "far", event.Create{Templates: []string{"elsewhere"}}).Accepted)
	reason := func() *environment.Reason {
		list, _, err := r.store.Resources(context.Background(), "far", store.Page{Limit: -1})
		require.NoError(t, err)
		return list[0].Step.Reason
	}
	require.Equal(t, environment.BecauseNoRunner, reason().Code)
	require.Contains(t, reason().Detail, "vivarium runner --pool elsewhere")
	stop := r.runner("elsewhere")
	r.await("far", environment.Deployed)
	require.NotEmpty(t, x.Status().Runners)
	stop()
	require.Eventually(t, func() bool { return len(x.Status().Runners) == 0 }, patience, 10*time.Millisecond, "it says that it leaves")
}

func TestWhatCannotBeReadIsADeadLetter(t *testing.T) {
	r := newRig(t)
	r.start()
	r.runner("default")
	var dead atomic.Int64
	sub, err := r.bus.Consume(t.Context(), bus.ConsumeOptions{Queue: bus.DeadLetters, Prefetch: 8}, func(d bus.Delivery) {
		if d.Message().Headers[bus.HeaderReason] != "" {
			dead.Add(1)
		}
		d.Ack()
	})
	require.NoError(t, err)
	defer func() { require.NoError(t, sub.Stop(context.Background())) }()
	broken := event.Envelope{SpecVersion: event.SpecVersion, ID: "x", Source: "x", Type: event.TypeOf(event.TaskFinished), Data: []byte(`"no object"`)}
	never := event.Envelope{SpecVersion: event.SpecVersion, ID: "z", Source: "x", Type: event.TypeOf(event.TaskLogs),
		Data: []byte(`{"environment":"one","operation":"op-1","step":"x","attempt":1,"partition":0,"epoch":1,"first":-1,"lines":[{"time":"2026-01-01T00:00:00Z","stream":"out","text":"x"}]}`)}
	for i, m := range []bus.Message{
		{To: bus.Address{Key: bus.Logs}, Body: never.Encode()},
		{To: bus.Address{Key: bus.Partition(0)}, Body: []byte{0, 255}},
		{To: bus.Address{Key: bus.Partition(1)}, Body: broken.Encode()},
		{To: bus.Address{Key: bus.Logs}, Body: broken.Encode()},
		{To: bus.Address{Key: bus.Runners}, Body: []byte("hello")},
		{To: bus.Address{Exchange: bus.Commands, Key: event.EnvironmentCreate}, Body: []byte("{}")},
	} {
		m.ID = fmt.Sprint("junk-", i)
		require.NoError(t, r.bus.Publish(t.Context(), m))
	}
	require.Eventually(t, func() bool { return dead.Load() == 6 }, patience, 10*time.Millisecond)
	// A result of a task that nobody knows is no dead letter, and harms nothing.
	unknown := event.Envelope{SpecVersion: event.SpecVersion, ID: "y", Source: "x", Type: event.TypeOf(event.TaskFinished),
		Data: []byte(`{"environment":"nobody","operation":"op-9","step":"x","attempt":3,"partition":0,"epoch":1,"runner":"r/1","started_at":"2026-01-01T00:00:00Z","finished_at":"2026-01-01T00:00:00Z"}`)}
	require.NoError(t, r.bus.Publish(t.Context(), bus.Message{To: bus.Address{Key: bus.Partition(0)}, ID: "y", Body: unknown.Encode()}))
	require.True(t, r.command(event.EnvironmentCreate, "one", event.Create{Templates: []string{"small"}}).Accepted)
	r.await("one", environment.Deployed)
}

func TestAStaleEpochStopsActing(t *testing.T) {
	r := newRig(t)
	r.start()
	e := store.Entry{Partition: 0, Seq: 1, Environment: "other", Type: environment.CommandRejected{}.Type(), Time: time.Now(), Epoch: 7, Data: []byte(`{}`)}
	require.NoError(t, r.store.Append(t.Context(), store.Batch{Partition: 0, Epoch: 7, Entries: []store.Entry{e}}))
	body := event.Envelope{SpecVersion: event.SpecVersion, ID: "late", Source: "test", Type: event.TypeOf(event.EnvironmentDestroy), Subject: "nobody"}
	require.NoError(t, r.bus.Publish(t.Context(), bus.Message{To: bus.Address{Exchange: bus.Commands, Key: event.EnvironmentDestroy}, ID: "late", Body: body.Encode()}))
	require.Never(t, func() bool {
		entries, err := r.store.Entries(context.Background(), store.Selection{Partition: -1, Environment: "nobody"})
		return err != nil || len(entries) > 0
	}, time.Second, 20*time.Millisecond)
}
