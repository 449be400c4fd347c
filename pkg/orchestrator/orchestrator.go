package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/secret"
	"github.com/vivarium-env/vivarium/pkg/service"
	"github.com/vivarium-env/vivarium/pkg/store"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// DefaultPartitions is how many partitions a cluster has unless it was configured otherwise. It can't be changed once
// environments exist.
const DefaultPartitions = 16

// Catalogue finds templates by name or name@version.
type Catalogue interface {
	Get(ctx context.Context, ref string) (*template.Template, error)
}

// Options of an Orchestrator. Store, Bus, Catalogue, Box and ScratchDir are required.
type Options struct {
	// Server is this process's id, new with every start; Cluster names the cluster and is part of every event's id.
	Server  string
	Cluster string
	// Epoch of the cluster, at least 1; every entry and task carries it.
	Epoch uint64
	// Partitions defaults to DefaultPartitions.
	Partitions int
	// Pools whose task queues are declared at the start; others are when a step first asks for them.
	Pools  []string
	Policy environment.Policy

	Store      store.Store
	Bus        bus.Bus
	Catalogue  Catalogue
	Kinds      template.Kinds
	Box        *secret.Box
	ScratchDir string // for templates that are unpacked again; may be emptied while the server does not run
	// HeartbeatEvery is what runners are asked for; 5 s unless set. A lease is the policy's.
	HeartbeatEvery time.Duration
	// WatchEvery is how often runners are told what to watch; 5 s unless set. A lease holds four times as long.
	WatchEvery time.Duration
	// Authority says how long this side may act from a moment on, or why it may not (fault.AuthorityLost): nil is always. It is asked
	// before every turn, before it is written and before anything follows from it.
	Authority func(now time.Time) (left time.Duration, always bool, err error)
	// Kept returns nil once an entry is where it survives the loss of this side, or when ctx ends its error; nil waits for nothing.
	// No step is offered before.
	Kept func(ctx context.Context, partition int, seq uint64) error
	// OfferFrom is when steps may be offered after a takeover; commands are taken before.
	OfferFrom time.Time
	// DriftEvery is how often each resource is looked at without anybody asking, unless its environment says otherwise; never
	// unless set.
	DriftEvery time.Duration
	// Now is the clock that is decided by: what expires, lapses or is due does so by it. The system's unless set.
	Now func() time.Time
	Log *slog.Logger
}

// Orchestrator is a pkg/service Service.
type Orchestrator struct {
	Options
	decider    *environment.Decider
	partitions []*partition
	pools      sync.Map // pool name -> struct{}: declared
	asked      sync.Map // pool name -> struct{}: a step was to go there, and nobody was
	plans      planCache
	runners    *registry
	peers      *peers
	control    bus.Listener
	usage      *usages
	authority  authority
	looking    lookBudget
	draining   atomic.Bool // nothing new is taken or offered
	marks      marks

	run     context.Context // ends when what is left has to be dropped
	cancel  context.CancelFunc
	running sync.WaitGroup
	subs    []bus.Subscription // intake last
	ready   atomic.Bool
	stopped atomic.Bool
}

var _ service.Service = (*Orchestrator)(nil)

// Status tells how it stands.
type Status struct {
	// Ready: the queues are consumed.
	Ready bool `json:"ready"`
	// Owned lists the partitions that this server has heard a tick of lately, and so owns.
	Owned []int `json:"owned"`
	// Runners that are heard, by name.
	Runners []event.Alive `json:"runners"`
	// Pools that steps were offered to, or that were configured.
	Pools []string `json:"pools"`
}

// New checks the options; nothing runs before Start.
func New(o Options) (*Orchestrator, error) {
	if o.Store == nil || o.Bus == nil || o.Catalogue == nil || o.Box == nil || o.ScratchDir == "" {
		return nil, errors.New("orchestrator: store, bus, catalogue, box and scratch folder are required")
	}
	if o.Epoch == 0 {
		o.Epoch = 1
	}
	if o.Partitions == 0 {
		o.Partitions = DefaultPartitions
	}
	if o.Cluster == "" {
		o.Cluster = "local"
	}
	if o.HeartbeatEvery == 0 {
		o.HeartbeatEvery = 5 * time.Second
	}
	if o.WatchEvery == 0 {
		o.WatchEvery = 5 * time.Second
	}
	if len(o.Pools) == 0 {
		o.Pools = []string{environment.DefaultPool}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.Policy.Epoch = o.Epoch
	x := &Orchestrator{Options: o, decider: environment.NewDecider(o.Policy)}
	x.plans.orchestrator = x
	x.authority.own = o.Authority
	x.runners, x.peers, x.usage = newRegistry(), newPeers(o.Server), newUsages()
	x.run, x.cancel = context.WithCancel(context.Background())
	for n := range o.Partitions {
		x.partitions = append(x.partitions, newPartition(x, n))
	}
	return x, nil
}

// Start declares the topology and begins to consume.
func (x *Orchestrator) Start(ctx context.Context) error {
	if err := x.Bus.Declare(ctx, bus.Topology{Partitions: x.Partitions, Pools: x.Pools}); err != nil {
		return fmt.Errorf("declare the queues: %w", err)
	}
	for _, p := range x.Pools {
		x.pools.Store(p, struct{}{})
	}
	if err := x.listen(ctx); err != nil {
		return errors.Join(err, x.Stop(ctx))
	}
	for _, p := range x.partitions {
		if err := p.start(ctx); err != nil {
			return errors.Join(err, x.Stop(ctx))
		}
	}
	for _, in := range []struct {
		queue    string
		prefetch int
		handle   func(bus.Delivery)
	}{{bus.Runners, 32, x.hello}, {bus.Logs, logsPrefetch, x.newLogWriter()}, {bus.Commands, 64, x.intake}} {
		s, err := x.Bus.Consume(ctx, bus.ConsumeOptions{Queue: in.queue, Prefetch: in.prefetch}, in.handle)
		if err != nil {
			return errors.Join(fmt.Errorf("consume %s: %w", in.queue, err), x.Stop(ctx))
		}
		x.subs = append(x.subs, s)
	}
	x.running.Go(x.tick)
	x.ready.Store(true)
	x.tickAll(time.Now()) // what is in doubt after a takeover is found by the time that somebody asks
	return nil
}

// Stop takes no more commands, lets every partition decide on what it holds, and waits for what is on its way to the
// bus until ctx ends.
func (x *Orchestrator) Stop(ctx context.Context) error {
	if x.stopped.Swap(true) {
		return nil
	}
	x.ready.Store(false)
	var all error
	if x.control != nil {
		x.present(true)
		all = x.control.Stop(ctx)
	}
	for i := len(x.subs) - 1; i >= 0; i-- {
		all = errors.Join(all, x.subs[i].Stop(ctx))
	}
	for _, p := range x.partitions {
		all = errors.Join(all, p.stop(ctx))
	}
	x.cancel()
	x.running.Wait()
	return all
}

// Status is cheap and may be called at any time.
func (x *Orchestrator) Status() Status {
	return Status{Ready: x.ready.Load(), Owned: x.owned(), Runners: x.runners.list(), Pools: x.poolNames()}
}

func (x *Orchestrator) poolNames() []string {
	names := []string{}
	for _, m := range []*sync.Map{&x.pools, &x.asked} {
		m.Range(func(name, _ any) bool {
			names = append(names, name.(string))
			return true
		})
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (x *Orchestrator) owned() []int {
	owned := []int{}
	for _, p := range x.partitions {
		if p.isOwned() {
			owned = append(owned, p.number)
		}
	}
	return owned
}

// partitionOf says where an environment belongs. It is part of what is stored: it must never change.
func (x *Orchestrator) partitionOf(environment string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(environment))
	return int(h.Sum32() % uint32(x.Partitions))
}
