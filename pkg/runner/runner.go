package runner

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/resilience"
	"github.com/vivarium-env/vivarium/pkg/secret"
	"github.com/vivarium-env/vivarium/pkg/service"
)

// Codes of refusals that only a runner gives; the others are in package fault.
const (
	// Redelivered: the task was delivered before, so somebody else may have started it.
	Redelivered fault.Code = "redelivered"
	// Expired: the offer lapsed before a place was free.
	Expired fault.Code = "expired"
)

// Options is what a Runner is made of.
type Options struct {
	// Bus stays the caller's, who closes it after Stop.
	Bus bus.Bus
	// Name stays over restarts and is the runner's alone.
	Name string
	// Pools whose tasks the runner takes; at least one.
	Pools     []string
	Executors []executor.Executor
	// Concurrency is how many tasks run at once; 0 takes 10.
	Concurrency int
	// WorkDir holds unpacked bundles and the folders of the steps.
	WorkDir string
	// Box, when nil, comes from the server, and no task is taken before it has come.
	Box *secret.Box
	// Dial connects to status endpoints; nil does so as usual.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Log, when nil, is silent.
	Log *slog.Logger
	// Version of the program, for the server to see.
	Version string
	// Labels say what is special about the runner, for people to see.
	Labels []string
	// Breaker says when a target that does not answer is left alone, and for how long; 0 takes 5 failures and 30 s. Its
	// Judge is the runner's own.
	Breaker resilience.BreakerPolicy
	// WatchEvery is how often the status endpoint of something deployed is asked; 0 takes 10 s. One that seems to have changed is
	// asked five times as often.
	WatchEvery time.Duration
	// Grace is how long Stop waits for tasks that it had to cancel; 0 takes one minute.
	Grace time.Duration
}

// Times of the protocol.
const (
	acceptAfter      = 25 * time.Millisecond // work that ends sooner is not announced
	helloEvery       = 2 * time.Second       // until welcomed
	helloAgain       = time.Minute           // afterwards: the server may be a new one
	defaultHeartbeat = 5 * time.Second       // until the server says
	shortHeartbeat   = 50 * time.Millisecond // no server makes the runner beat faster
	longHeartbeat    = 10 * time.Minute      // nor slower
	leaseBeats       = 3                     // heartbeats that may be missed
	cancelMemory     = 10 * time.Minute      // a cancel may arrive before its task
	publishDeadline  = 30 * time.Second      // then a message is sent again, under its ID
)

// Runner is a service.Service. All its methods are safe for concurrent use.
type Runner struct {
	o               Options
	id              string // o.Name and what is new with each start of the program
	log             *slog.Logger
	executors       map[string]executor.Executor
	probers         map[string]executor.Prober // by scheme
	public, private *[32]byte
	listener        bus.Listener
	folders         folders

	slots    chan struct{}
	box      atomic.Pointer[secret.Box]
	epoch    atomic.Uint64 // the highest seen
	welcome  atomic.Pointer[event.Welcome]
	beat     atomic.Int64  // time.Duration between heartbeats
	messages atomic.Uint64 // counts the messages sent, for their IDs
	welcomed chan struct{} // holds one token after a welcome
	news     chan struct{} // holds one token when the servers are to hear of the runner at once
	telling  sync.Mutex    // held while one message of that is made and sent
	breakers *resilience.Breakers
	grant    grant
	watching *watching

	// Three phases of stopping: no new tasks, nothing in the background, no sending any more.
	taking, living, sending context.Context
	stopTaking, stopLiving  context.CancelFunc
	stopSending             context.CancelFunc
	background              sync.WaitGroup

	lifecycle sync.Mutex // serialises Start and Stop
	started   bool
	stopped   bool

	mu        sync.Mutex
	consumers []bus.Subscription
	jobs      map[step]*job
	cancelled map[attempt]cancellation
	idle      *sync.Cond // on mu; signalled when a job ends
}

var _ service.Service = (*Runner)(nil)

// New checks the options and makes a runner that does nothing before Start.
func New(o Options) (*Runner, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	public, private, err := secret.KeyPair()
	if err != nil {
		return nil, fmt.Errorf("make the runner's key pair: %w", err)
	}
	incarnation := make([]byte, 8)
	if _, err := rand.Read(incarnation); err != nil {
		return nil, fmt.Errorf("name this start of the runner: %w", err)
	}
	r := &Runner{
		o: o, id: o.Name + "/" + hex.EncodeToString(incarnation), log: o.Log, public: public, private: private,
		executors: map[string]executor.Executor{}, probers: map[string]executor.Prober{}, folders: folders{root: o.WorkDir},
		slots: make(chan struct{}, o.Concurrency), welcomed: make(chan struct{}, 1), news: make(chan struct{}, 1),
		jobs: map[step]*job{}, cancelled: map[attempt]cancellation{},
	}
	for _, e := range o.Executors {
		r.executors[e.Kind().Name] = e
		if p, ok := e.(executor.Prober); ok {
			r.probers[p.Scheme()] = p
		}
	}
	r.breakers = r.newBreakers()
	r.watching = newWatching(r, o.WatchEvery)
	r.idle = sync.NewCond(&r.mu)
	r.box.Store(o.Box)
	r.beat.Store(int64(defaultHeartbeat))
	r.taking, r.stopTaking = context.WithCancel(context.Background())
	r.living, r.stopLiving = context.WithCancel(context.Background())
	r.sending, r.stopSending = context.WithCancel(context.Background())
	return r, nil
}

func (o *Options) check() error {
	switch {
	case o.Bus == nil:
		return errors.New("a runner needs a bus")
	case o.Name == "" || strings.Contains(o.Name, "/"):
		return fmt.Errorf("%q can't be a runner's name: it has to be there and to be without a slash", o.Name)
	case len(o.Pools) == 0:
		return errors.New("a runner needs a pool to take tasks from")
	case o.WorkDir == "":
		return errors.New("a runner needs a working folder")
	}
	if o.Concurrency <= 0 {
		o.Concurrency = 10
	}
	if o.Dial == nil {
		o.Dial = (&net.Dialer{}).DialContext
	}
	if o.Grace <= 0 {
		o.Grace = time.Minute
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	seen := map[string]bool{}
	for _, e := range o.Executors {
		if name := e.Kind().Name; seen[name] {
			return fmt.Errorf("two executors are called %q", name)
		} else {
			seen[name] = true
		}
	}
	return nil
}

// Box opens and seals secrets; it is nil until a server has welcomed the runner, unless Options had one.
func (r *Runner) Box() *secret.Box { return r.box.Load() }

// Status tells how a runner stands.
type Status struct {
	Name string `json:"name"`
	// Runner is the name and what is new with each start.
	Runner string   `json:"runner"`
	Pools  []string `json:"pools"`
	// Ready: it takes tasks, as far as the bus delivers them.
	Ready bool `json:"ready"`
	// Welcomed: a server has answered since the start.
	Welcomed bool   `json:"welcomed"`
	Cluster  string `json:"cluster,omitempty"`
	Epoch    uint64 `json:"epoch"`
	// Running counts the tasks whose result is not yet confirmed.
	Running int `json:"running"`
}

// Status is cheap and never waits for the bus.
func (r *Runner) Status() Status {
	s := Status{Name: r.o.Name, Runner: r.id, Pools: r.o.Pools, Epoch: r.epoch.Load()}
	if w := r.welcome.Load(); w != nil {
		s.Welcomed, s.Cluster = true, w.Cluster
	}
	connected := r.o.Bus.Status().Connected
	r.mu.Lock()
	defer r.mu.Unlock()
	s.Running = len(r.jobs)
	s.Ready = connected && len(r.consumers) == len(r.o.Pools) && r.taking.Err() == nil
	return s
}

// heartbeatEvery is how often the server wants to hear of running tasks.
func (r *Runner) heartbeatEvery() time.Duration { return time.Duration(r.beat.Load()) }

// raiseEpoch remembers the highest epoch; false means that this one is older.
func (r *Runner) raiseEpoch(epoch uint64) bool {
	for {
		highest := r.epoch.Load()
		if epoch < highest {
			return false
		}
		if epoch == highest || r.epoch.CompareAndSwap(highest, epoch) {
			return true
		}
	}
}
