package backup_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/store"
	"github.com/vivarium-env/vivarium/pkg/store/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const partitions = 3

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
	return json.RawMessage(`{"url":"<x&y>"}`), nil
}
func (resolver) Entrypoints(func(string) (json.RawMessage, bool)) ([]environment.Entrypoint, error) {
	return nil, nil
}

// stage decides, and writes what follows into a real store.
type stage struct {
	testing.TB
	store  store.Store
	d      *environment.Decider
	now    time.Time
	seq    map[int]uint64
	states map[string]*environment.State
}

func open(t testing.TB, path string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), sqlite.Options{Path: path})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func fresh(t testing.TB) *sqlite.Store {
	t.Helper()
	return open(t, filepath.Join(t.TempDir(), "store.db"))
}

func newStage(t testing.TB, s store.Store) *stage {
	return &stage{TB: t, store: s, d: environment.NewDecider(environment.Policy{Epoch: 4}), now: time.Unix(1_700_000_000, 123456789).UTC(),
		seq: map[int]uint64{}, states: map[string]*environment.State{}}
}

func partitionOf(name string) int { return int(name[len(name)-1]) % 2 }

func (st *stage) decide(name string, in environment.Input, more func(*store.Batch)) {
	st.Helper()
	s, p := st.states[name], partitionOf(name)
	if s == nil {
		s = environment.NewState(name)
		st.states[name] = s
	}
	st.now = st.now.Add(time.Second)
	d := st.d.Decide(s, environment.Surroundings{Resolver: resolver{}}, in, st.now)
	require.NotEmpty(st, d.Facts)
	b := store.Batch{Partition: p, Epoch: 4}
	var seqs []uint64
	for _, f := range d.Facts {
		st.seq[p]++
		seqs = append(seqs, st.seq[p])
		data, err := json.Marshal(f.Body)
		require.NoError(st, err)
		b.Entries = append(b.Entries, store.Entry{Partition: p, Seq: st.seq[p], Environment: name, Type: f.Body.Type(), Time: f.At, Epoch: 4,
			Operation: "op", Causation: "c<&>", Data: data})
		if f.Body.Type() == (environment.StatusDestroyed{}).Type() {
			b.States = []store.StepState{{Environment: name}}
		}
	}
	b.Changes = s.Changes(p, seqs...)
	head, err := st.store.Head(st.Context(), p)
	require.NoError(st, err)
	store.Chain(head.Chain, b.Entries)
	if more != nil {
		more(&b)
	}
	require.NoError(st, st.store.Append(st.Context(), b))
}

func (st *stage) ref(name, step string) event.TaskRef {
	s := st.states[name]
	return event.TaskRef{Environment: name, Operation: s.Operation.ID, Step: step, Attempt: s.Step(step).Attempt, Epoch: 4}
}

// finish ends a step, with a state that was saved meanwhile.
func (st *stage) finish(name, step string) {
	st.Helper()
	st.accept(name, step)
	st.save(name, step, 1)
	st.decide(name, environment.ResultInput{Result: event.Result{TaskRef: st.ref(name, step), Runner: "r/1", Outputs: json.RawMessage(`{"a":1}`)}}, nil)
}

func (st *stage) accept(name, step string) {
	st.Helper()
	st.decide(name, environment.AcceptedInput{Accepted: event.Accepted{TaskRef: st.ref(name, step), Runner: "r/1", StartedAt: st.now}}, nil)
}

func (st *stage) save(name, step string, number int) {
	st.Helper()
	data := []byte(fmt.Sprintf("state of %s in %s at %s", step, name, st.now))
	sum := sha256.Sum256(data)
	in := environment.StateInput{TaskRef: st.ref(name, step), Runner: "r/1", Number: number,
		StateRef: environment.StateRef{Hash: hex.EncodeToString(sum[:]), Size: len(data)}}
	st.decide(name, in, func(b *store.Batch) {
		b.States = []store.StepState{{Environment: name, Step: step, Hash: in.Hash, Data: data}}
	})
}

func (st *stage) create(name string) {
	st.Helper()
	used := environment.Template{Name: "notes", Version: "1.0.0", Hash: "h-" + name, Commit: "c"}
	st.decide(name, environment.CreateInput{CommandMeta: environment.CommandMeta{CommandID: "create " + name, RequestedBy: "/teams/notes"},
		Resolved: environment.Resolved{Templates: []environment.Template{used}, Nodes: []environment.Node{node("a"), node("b", "a"), node("c", "a", "b")}}},
		func(b *store.Batch) {
			b.Templates = []store.TemplateRecord{{Template: used, Archive: []byte("archive of " + name)}}
		})
}

func node(address string, depends ...string) environment.Node {
	return environment.Node{Address: address, Type: environment.ResourceNode, Executor: "x", DependsOn: depends}
}

// live makes environments in two of three partitions; one is destroyed and made again, one is half-way.
func (st *stage) live() {
	st.Helper()
	for _, name := range []string{"n0", "n1", "n2", "n3"} {
		st.create(name)
		st.finish(name, "a")
	}
	for _, name := range []string{"n0", "n1", "n2"} {
		st.finish(name, "b")
		st.finish(name, "c")
	}
	st.decide("n1", environment.DestroyInput{CommandMeta: environment.CommandMeta{CommandID: "d"}}, nil)
	for _, step := range []string{"c", "b", "a"} {
		st.finish("n1", step)
	}
	require.Equal(st, environment.Destroyed, st.states["n1"].Status)
	st.decide("n2", environment.DestroyInput{CommandMeta: environment.CommandMeta{CommandID: "d2"}}, nil)
	for _, step := range []string{"c", "b", "a"} {
		st.finish("n2", step)
	}
	st.decide("n2", environment.CreateInput{CommandMeta: environment.CommandMeta{CommandID: "again"},
		Resolved: environment.Resolved{Nodes: []environment.Node{node("z")}}}, nil)
	require.NoError(st, st.store.Relayed(st.Context(), 0, 3))
	require.NoError(st, st.store.AppendLogs(st.Context(), event.Logs{TaskRef: event.TaskRef{Environment: "n0", Operation: "op-1", Step: "a", Attempt: 1},
		First: 0, Lines: []event.LogLine{{Text: "one <&>"}, {Text: "two"}}}))
}
