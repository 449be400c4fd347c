package history_test

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/history"
	"github.com/vivarium-env/vivarium/pkg/store"
	"github.com/vivarium-env/vivarium/pkg/store/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// resolver has no expressions to evaluate.
type resolver struct{}

func (resolver) Inputs(string, func(string) (json.RawMessage, bool)) (environment.Inputs, error) {
	return environment.Inputs{Data: json.RawMessage(`{}`)}, nil
}

func (resolver) Proposal(string, func(string) (json.RawMessage, bool)) (environment.Inputs, error) {
	return environment.Inputs{Data: json.RawMessage(`{}`)}, nil
}

func (resolver) Endpoint(string, func(string) (json.RawMessage, bool)) (*event.Endpoint, error) {
	return nil, nil //nolint:nilnil // no endpoint
}
func (resolver) Outputs(func(string) (json.RawMessage, bool)) (json.RawMessage, error) {
	return json.RawMessage(`{"url":"x"}`), nil
}
func (resolver) Entrypoints(func(string) (json.RawMessage, bool)) ([]environment.Entrypoint, error) {
	return nil, nil
}

// stage decides, and writes what follows into a real store.
type stage struct {
	*testing.T
	store store.Store
	state *environment.State
	d     *environment.Decider
	now   time.Time
	seq   uint64
	views map[uint64]history.View // what the projection showed after each batch
	times map[uint64]time.Time
}

const partition = 2

func newStage(t *testing.T) *stage {
	s, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(t.TempDir(), "store.db")})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return &stage{T: t, store: s, state: environment.NewState("notes"), d: environment.NewDecider(environment.Policy{Epoch: 1}),
		now: time.Unix(1_700_000_000, 0).UTC(), views: map[uint64]history.View{}, times: map[uint64]time.Time{}}
}

func (st *stage) decide(in environment.Input) {
	st.Helper()
	st.now = st.now.Add(time.Second)
	d := st.d.Decide(st.state, environment.Surroundings{Resolver: resolver{}}, in, st.now)
	require.NotEmpty(st, d.Facts)
	b := store.Batch{Partition: partition, Epoch: 1}
	for _, f := range d.Facts {
		st.seq++
		data, err := json.Marshal(f.Body)
		require.NoError(st, err)
		b.Entries = append(b.Entries, store.Entry{Partition: partition, Seq: st.seq, Environment: st.state.Name, Type: f.Body.Type(), Time: f.At, Data: data})
	}
	b.Changes = st.state.Changes(partition, st.seq)
	require.NoError(st, st.store.Append(st.Context(), b))
	st.times[st.seq] = st.now
	if v, ok := st.view(); ok {
		st.views[st.seq] = v
	}
}

// view is what the projection shows now.
func (st *stage) view() (v history.View, ok bool) {
	ctx := st.Context()
	var err error
	if v.Environment, err = st.store.Environment(ctx, "notes"); err != nil {
		return v, false
	}
	v.Resources, _, err = st.store.Resources(ctx, "notes", store.Page{Limit: -1})
	require.NoError(st, err)
	operations, _, err := st.store.Operations(ctx, "notes", store.Page{})
	require.NoError(st, err)
	for i, o := range operations {
		if o.ID == v.Environment.Operation {
			v.Operation = &operations[i]
		}
	}
	v.Seq, v.Time = st.seq, st.now
	return v, true
}

func (st *stage) finish(step string, failure *fault.Error) {
	st.Helper()
	ref := event.TaskRef{Environment: "notes", Operation: st.state.Operation.ID, Step: step, Attempt: st.state.Step(step).Attempt, Epoch: 1}
	st.decide(environment.AcceptedInput{Accepted: event.Accepted{TaskRef: ref, Runner: "r/1", StartedAt: st.now}})
	st.decide(environment.ResultInput{Result: event.Result{TaskRef: ref, Runner: "r/1", Outputs: json.RawMessage(`{"a":1}`), Error: failure}})
}

func (st *stage) meta(id string) environment.CommandMeta {
	return environment.CommandMeta{CommandID: id, RequestedBy: "/teams/notes"}
}

func node(address string, depends ...string) environment.Node {
	return environment.Node{Address: address, Type: environment.ResourceNode, Executor: "x", DependsOn: depends}
}

// live goes through a life with a failure, a retry and a destruction, and begins another.
func (st *stage) live() {
	st.Helper()
	broken := fault.New(fault.GiveUp, fault.ExecutorFailed, "broken")
	st.decide(environment.RejectInput{CommandMeta: st.meta("0"), Command: event.EnvironmentCreate, Error: broken})
	st.decide(environment.CreateInput{CommandMeta: st.meta("1"), Resolved: environment.Resolved{
		Nodes: []environment.Node{node("a"), node("b", "a"), node("c", "a")}}})
	st.finish("a", nil)
	st.finish("b", nil)
	st.finish("c", broken)
	st.decide(environment.RetryInput{CommandMeta: st.meta("2")})
	st.finish("c", nil)
	st.decide(environment.RejectInput{CommandMeta: st.meta("3"), Command: event.EnvironmentCreate, Error: broken})
	st.decide(environment.DestroyInput{CommandMeta: st.meta("4")})
	for _, step := range []string{"b", "c", "a"} {
		st.finish(step, nil)
	}
	require.Equal(st, environment.Destroyed, st.state.Status)
	st.decide(environment.CreateInput{CommandMeta: st.meta("5"), Resolved: environment.Resolved{Nodes: []environment.Node{node("z")}}})
}

// plain is a view without what the journal does not tell: with which batch a record was written.
func plain(t *testing.T, v history.View) string {
	t.Helper()
	for i := range v.Resources {
		v.Resources[i].Revision, v.Resources[i].UpdatedAt = 0, time.Time{}
	}
	if v.Operation != nil {
		o := *v.Operation
		o.Revision = 0
		v.Operation = &o
	}
	text, err := json.Marshal(v)
	require.NoError(t, err)
	return string(text)
}

func TestEveryMomentIsAsItWas(t *testing.T) {
	st := newStage(t)
	st.live()
	require.Greater(t, len(st.views), 15)
	for seq, want := range st.views {
		got, err := history.At(t.Context(), st.store, "notes", history.Moment{Seq: seq})
		require.NoError(t, err)
		require.Equal(t, plain(t, want), plain(t, got), "at entry %d", seq)
		got, err = history.At(t.Context(), st.store, "notes", history.Moment{Time: st.times[seq].Add(time.Millisecond)})
		require.NoError(t, err)
		require.Equal(t, plain(t, want), plain(t, got), "at %s", st.times[seq])
	}
	now, err := history.At(t.Context(), st.store, "notes", history.Moment{})
	require.NoError(t, err)
	require.Equal(t, plain(t, st.views[st.seq]), plain(t, now))
}

func TestNotThereYet(t *testing.T) {
	st := newStage(t)
	st.live()
	for name, m := range map[string]history.Moment{"none": {}, "notes": {Seq: 1}} {
		_, err := history.At(t.Context(), st.store, name, m)
		require.True(t, fault.Is(err, fault.NotFound), "%v", err)
	}
	_, err := history.At(t.Context(), st.store, "notes", history.Moment{Time: st.times[1].Add(-time.Hour)})
	require.True(t, fault.Is(err, fault.NotFound), "%v", err)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = history.At(ended, st.store, "notes", history.Moment{})
	require.ErrorIs(t, err, context.Canceled)
}

func TestRebuiltGraphIsTheKeptOne(t *testing.T) {
	st := newStage(t)
	st.live()
	kept, _ := st.view()
	operations, _, err := st.store.Operations(t.Context(), "notes", store.Page{})
	require.NoError(t, err)
	rebuilt := 0
	require.NoError(t, history.Rebuild(t.Context(), st.store, partition, func(c environment.Changes) error {
		rebuilt++
		require.Equal(t, []string{"notes"}, c.Created)
		v := history.View{Seq: st.seq, Time: st.now, Environment: c.Environments[0], Resources: c.Resources}
		v.Operation = &c.Operations[len(c.Operations)-1]
		require.Equal(t, plain(t, kept), plain(t, v))
		require.Len(t, c.Operations, len(operations))
		for i, o := range c.Operations {
			want := operations[len(operations)-1-i]
			o.Revision, want.Revision = 0, 0
			require.Equal(t, fmt.Sprint(want), fmt.Sprint(o))
		}
		return nil
	}))
	require.Equal(t, 1, rebuilt)
}
