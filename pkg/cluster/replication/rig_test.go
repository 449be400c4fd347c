package replication_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/cluster/replication"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/history"
	"github.com/vivarium-env/vivarium/pkg/memory"
	"github.com/vivarium-env/vivarium/pkg/resilience"
	"github.com/vivarium-env/vivarium/pkg/secret"
	"github.com/vivarium-env/vivarium/pkg/store"
	"github.com/vivarium-env/vivarium/pkg/store/sqlite"
	"github.com/vivarium-env/vivarium/pkg/store/storetest"
)

const (
	partitions = 3
	token      = "a token that both sides know"
	beat       = 50 * time.Millisecond
	patience   = 60 * time.Second
	checkpoint = 100 // entries
)

// resolver has no expressions to evaluate: all inputs are as it is.
type resolver string

func (r resolver) Inputs(string, func(string) (json.RawMessage, bool)) (environment.Inputs, error) {
	return environment.Inputs{Data: json.RawMessage(`{"text":"<&>` + string(r) + `"}`), Fingerprint: string(r)}, nil
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

// side is a store with what writes it. The owner's part may be used by one goroutine.
type side struct {
	testing.TB
	store store.Store
	owned [partitions]*memory.Partition
	d     *environment.Decider
	epoch uint64
	now   time.Time
	cuts  int // how many decisions go into one batch; 0 is one, or five in live
	open  [partitions]store.Batch
	held  [partitions]int
	kept  map[[2]string]store.StepState // the last of each step
	text  resolver
}

func openStore(t testing.TB, path string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), sqlite.Options{Path: path})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func fresh(t testing.TB) *sqlite.Store {
	t.Helper()
	return openStore(t, filepath.Join(t.TempDir(), "store.db"))
}

func newSide(t testing.TB, s store.Store) *side {
	x := &side{TB: t, store: s, epoch: 1, kept: map[[2]string]store.StepState{}, now: time.Unix(1_700_000_000, 123456789).UTC()}
	x.load()
	return x
}

func (s *side) load() {
	s.d = environment.NewDecider(environment.Policy{Epoch: s.epoch})
	for n := range partitions {
		var err error
		s.owned[n], err = memory.Load(s.Context(), s.store, n)
		require.NoError(s, err)
		s.owned[n].CheckpointEvery = checkpoint
	}
}

func partitionOf(name string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name))
	return int(h.Sum32() % partitions)
}

func (s *side) state(name string) *environment.State {
	st, err := s.owned[partitionOf(name)].State(s.Context(), name)
	require.NoError(s, err)
	return st
}

// decide writes what follows from an input, alone or with some that follow it.
func (s *side) decide(name string, in environment.Input, more func(*store.Batch)) {
	s.Helper()
	n, st := partitionOf(name), s.state(name)
	p, b := s.owned[n], &s.open[n]
	s.now = s.now.Add(time.Second)
	d := s.d.Decide(st, environment.Surroundings{Resolver: s.text}, in, s.now)
	require.NotEmpty(s, d.Facts)
	b.Partition, b.Epoch = n, s.epoch
	var entries []store.Entry
	for i, f := range d.Facts {
		data, err := json.Marshal(f.Body)
		require.NoError(s, err)
		entries = append(entries, store.Entry{Partition: n, Seq: p.Seq + uint64(len(b.Entries)+i) + 1, Environment: name, Type: f.Body.Type(), Time: f.At,
			Epoch: s.epoch, Operation: "op", Causation: "c<&>", Data: data})
	}
	before := p.Chain
	if k := len(b.Entries); k > 0 {
		before = b.Entries[k-1].Chain
	}
	store.Chain(before, entries)
	b.Entries = append(b.Entries, entries...)
	for _, e := range entries {
		if kept := history.Kept(e); kept != nil && kept.Step == "" {
			b.States = append(b.States, *kept)
			b.States = append(b.States, s.named(st)...)
		}
	}
	for _, place := range st.Released() {
		b.States = append(b.States, store.StepState{Environment: name, Step: place})
	}
	if more != nil {
		more(b)
	}
	if s.held[n]++; s.held[n] >= s.cuts {
		s.commit(n)
	}
}

// named are the states that an environment goes on naming when it ends, or begins.
func (s *side) named(st *environment.State) (all []store.StepState) {
	for step, hash := range history.Named(st) {
		kept := s.kept[[2]string{st.Name, step}]
		require.Equal(s, hash, kept.Hash)
		all = append(all, kept)
	}
	return all
}

// keep puts what an executor has saved into a batch.
func (s *side) keep(b *store.Batch, kept store.StepState) {
	s.kept[[2]string{kept.Environment, kept.Step}] = kept
	b.States = append(b.States, kept)
}

func (s *side) commit(n int) {
	s.Helper()
	b := s.open[n]
	s.open[n], s.held[n] = store.Batch{}, 0
	if len(b.Entries) == 0 {
		return
	}
	require.NoError(s, s.owned[n].Fill(&b))
	require.NoError(s, s.store.Append(s.Context(), b))
	s.owned[n].Committed(b)
}

func (s *side) commitAll() {
	for n := range partitions {
		s.commit(n)
	}
}

func (s *side) ref(name, step string) event.TaskRef {
	st := s.state(name)
	return event.TaskRef{Environment: name, Operation: st.Operation.ID, Step: st.Step(step).ID(), Attempt: st.Step(step).Attempt, Epoch: s.epoch}
}

// finish ends a step, with states that were saved meanwhile.
func (s *side) finish(name, step string) {
	s.Helper()
	s.decide(name, environment.AcceptedInput{Accepted: event.Accepted{TaskRef: s.ref(name, step), Runner: "r/1", StartedAt: s.now}}, nil)
	s.save(name, step, 1)
	s.save(name, step, 2)
	s.decide(name, environment.ResultInput{Result: event.Result{TaskRef: s.ref(name, step), Runner: "r/1", Outputs: json.RawMessage(`{"a":1}`)}}, nil)
}

func (s *side) save(name, step string, number int) {
	s.Helper()
	identity := s.state(name).Step(step).ID()
	data := []byte(fmt.Sprintf("state of %s in %s at %s", step, name, s.now))
	sum := sha256.Sum256(data)
	in := environment.StateInput{TaskRef: s.ref(name, step), Runner: "r/1", Number: number,
		StateRef: environment.StateRef{Hash: hex.EncodeToString(sum[:]), Size: len(data)}}
	s.decide(name, in, func(b *store.Batch) {
		s.keep(b, store.StepState{Environment: name, Step: identity, Hash: in.Hash, Data: data})
	})
}

func (s *side) create(name string) {
	s.Helper()
	s.make(name, node("a"), node("b", "a"), node("c", "a", "b"))
}

func (s *side) make(name string, nodes ...environment.Node) {
	s.Helper()
	used := environment.Template{Name: "notes", Version: "1.0.0", Hash: "h-" + name, Commit: "c"}
	s.decide(name, environment.CreateInput{CommandMeta: environment.CommandMeta{CommandID: "create " + name + s.now.String(), RequestedBy: "/teams/notes"},
		Resolved: environment.Resolved{Templates: []environment.Template{used}, Nodes: nodes}},
		func(b *store.Batch) {
			b.Templates = append(b.Templates, store.TemplateRecord{Template: used, Archive: []byte("archive of " + name)})
		})
}

// update changes all inputs, and then the nodes.
func (s *side) update(name string, moves []environment.Move, nodes ...environment.Node) {
	s.Helper()
	s.text += "!"
	s.decide(name, environment.UpdateInput{CommandMeta: environment.CommandMeta{CommandID: "update" + s.now.String()},
		Resolved: environment.Resolved{Nodes: nodes, Moves: moves}}, nil)
}

func node(address string, depends ...string) environment.Node {
	return environment.Node{Address: address, Type: environment.ResourceNode, Executor: "x", DependsOn: depends}
}

func (s *side) destroy(name string) {
	s.Helper()
	s.takeDown(name, "c", "b", "a")
}

func (s *side) takeDown(name string, steps ...string) {
	s.Helper()
	s.decide(name, environment.DestroyInput{CommandMeta: environment.CommandMeta{CommandID: "d" + s.now.String()}}, nil)
	for _, step := range steps {
		s.finish(name, step)
	}
}

// live makes environments; every fifth is destroyed, every seventh made again, every third is half-way.
func (s *side) live(from, to int) {
	s.Helper()
	if s.cuts == 0 {
		s.cuts = 5
		defer func() { s.cuts = 0 }()
	}
	for i := from; i < to; i++ {
		name := fmt.Sprintf("n%d", i)
		s.create(name)
		s.finish(name, "a")
		if i%3 == 0 {
			continue
		}
		s.finish(name, "b")
		s.finish(name, "c")
		if i%5 == 0 || i%7 == 0 {
			s.destroy(name)
		}
		if i%7 == 0 {
			s.create(name)
		}
	}
	s.commitAll()
}

// source serves a side's store.
type source struct {
	*replication.Source
	http *httptest.Server
	id   atomic.Pointer[replication.Identity]
	box  *secret.Box
}

func newBox(t testing.TB) *secret.Box {
	key, err := secret.NewKey()
	require.NoError(t, err)
	box, err := secret.NewBox(key)
	require.NoError(t, err)
	return box
}

func serve(t testing.TB, s store.Store, change ...func(*replication.SourceOptions)) *source {
	x := &source{box: newBox(t)}
	x.id.Store(&replication.Identity{Cluster: "east", Server: "server-1", Role: replication.Primary, Epoch: 1})
	o := replication.SourceOptions{Store: s, Partitions: partitions, Self: func() replication.Identity { return *x.id.Load() }, Box: x.box, Token: token, Beat: beat}
	for _, c := range change {
		c(&o)
	}
	var err error
	x.Source, err = replication.NewSource(o)
	require.NoError(t, err)
	require.NoError(t, x.Start(t.Context()))
	x.http = httptest.NewServer(x.Source)
	t.Cleanup(func() {
		x.Leave()
		x.http.CloseClientConnections()
		x.http.Close()
		require.NoError(t, x.Source.Stop(context.Background()))
	})
	return x
}

func (x *source) address() string { return x.http.URL }

func follow(t testing.TB, s store.Store, address string, change ...func(*replication.Options)) *replication.Follower {
	o := replication.Options{Store: s, Partitions: partitions, Find: replication.Static{address}, Token: token, Beat: beat,
		Retry:      resilience.Policy{Backoff: 10 * time.Millisecond, MaxBackoff: 100 * time.Millisecond},
		Checkpoint: checkpoint,
		Self:       replication.Name{Cluster: "west", Server: "server-2"}, Primary: "east"}
	for _, c := range change {
		c(&o)
	}
	f, err := replication.NewFollower(o)
	require.NoError(t, err)
	require.NoError(t, f.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, f.Stop(t.Context())) })
	return f
}

// same waits until two stores are at the same place, and compares everything.
func same(t testing.TB, want, got store.Store) {
	t.Helper()
	level(t, want, got)
	require.Eventually(t, func() bool { return slices.Equal(relayed(t, want), relayed(t, got)) }, patience, 5*time.Millisecond, "it comes with a beat")
	storetest.Same(t, partitions, want, got)
}

// relayed is how far each partition was published.
func relayed(t testing.TB, s store.Store) (all []uint64) {
	for n := range partitions {
		h, err := s.Head(t.Context(), n)
		require.NoError(t, err)
		all = append(all, h.Relayed)
	}
	return all
}

// level waits until two stores are at the same place.
func level(t testing.TB, want, got store.Store) {
	t.Helper()
	require.Eventually(t, func() bool {
		for n := range partitions {
			a, err := want.Head(t.Context(), n)
			require.NoError(t, err)
			b, err := got.Head(t.Context(), n)
			require.NoError(t, err)
			if a.Seq != b.Seq || a.Chain != b.Chain {
				return false
			}
		}
		return true
	}, patience, 5*time.Millisecond)
}

// reaches waits for what a follower says of itself.
func reaches(t testing.TB, f *replication.Follower, is func(replication.Status) bool) (s replication.Status) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		if s = f.Status(); is(s) {
			return s
		}
		if time.Now().After(deadline) {
			require.FailNow(t, "the follower does not get there", "%+v %+v", s, s.Primary)
		}
	}
}

func live(s replication.Status) bool { return s.State == replication.Live }

// whole: it lacks no state either.
func whole(s replication.Status) bool { return live(s) && s.Missing == 0 }

// proxy stands between a secondary and its primary; it can cut, hold back and alter what flows.
type proxy struct {
	listener net.Listener
	target   string
	alter    atomic.Pointer[func([]byte)] // of what the primary sends
	delay    atomic.Int64
	passed   atomic.Int64 // bytes that the primary has sent

	mu      sync.Mutex
	conns   map[net.Conn]struct{}
	gate    chan struct{} // closed when it flows
	running sync.WaitGroup
}

func newProxy(t testing.TB, target string) *proxy {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &proxy{listener: l, target: target, conns: map[net.Conn]struct{}{}, gate: make(chan struct{})}
	close(p.gate)
	p.running.Go(p.accept)
	t.Cleanup(func() {
		_ = l.Close()
		p.hold(false)
		p.cut()
		p.running.Wait()
	})
	return p
}

func (p *proxy) address() string { return "http://" + p.listener.Addr().String() }

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		p.mu.Lock()
		p.conns[client], p.conns[server] = struct{}{}, struct{}{}
		p.mu.Unlock()
		p.running.Go(func() { p.copy(server, client, false) })
		p.running.Go(func() { p.copy(client, server, true) })
	}
}

func (p *proxy) copy(to, from net.Conn, answers bool) {
	defer func() {
		_, _ = to.Close(), from.Close()
		p.mu.Lock()
		delete(p.conns, to)
		delete(p.conns, from)
		p.mu.Unlock()
	}()
	buffer := make([]byte, 4<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 && answers {
			p.passed.Add(int64(n))
			time.Sleep(time.Duration(p.delay.Load()))
			p.mu.Lock()
			gate := p.gate
			p.mu.Unlock()
			<-gate
			if change := p.alter.Load(); change != nil {
				(*change)(buffer[:n])
			}
		}
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
}

func (p *proxy) hold(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.gate:
		if on {
			p.gate = make(chan struct{})
		}
	default:
		if !on {
			close(p.gate)
		}
	}
}

func through(t testing.TB, x *source) *proxy {
	return newProxy(t, x.http.Listener.Addr().String())
}

var _ http.Handler = (*replication.Source)(nil)
