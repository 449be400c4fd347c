package docker

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/moby/moby/client"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/container"
	"github.com/vivarium-env/vivarium/pkg/executor/container/internal/replicas"
	"github.com/vivarium-env/vivarium/pkg/secret"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// DefaultHost is where an engine listens unless told otherwise.
const DefaultHost = "unix:///var/run/docker.sock"

// Options say where the engine is.
type Options struct {
	// Host is unix:///PATH or tcp://HOST:PORT; "" is DefaultHost.
	Host string
	// TLS, when not nil, is for tcp.
	TLS *TLS
	// Key is the cluster's box, for the fingerprints in labels; it may be nil until the runner has one.
	Key func() *secret.Box
	// Timeout bounds one request, pulls and logs aside; 0 is a minute.
	Timeout time.Duration
	// Grace is how long an apply that was cancelled may take to bring the old container back; 0 is 10 seconds.
	Grace time.Duration
	Log   *slog.Logger
}

// TLS are the files of a connection in which both sides show a certificate.
type TLS struct {
	CAFile, CertFile, KeyFile string
	// Insecure accepts any certificate of the engine.
	Insecure bool
}

// Executor runs containers. It is safe for concurrent use. It keeps idle connections: Close them.
type Executor struct {
	options Options
	place   place
	probe   replicas.Prober

	mu   sync.Mutex
	made *client.Client // once it could be made
	nets sync.Mutex     // Docker itself would make two networks of one name
}

var (
	_ executor.Executor  = (*Executor)(nil)
	_ executor.Targeter  = (*Executor)(nil)
	_ executor.Meter     = (*Executor)(nil)
	_ executor.Follower  = (*Executor)(nil)
	_ executor.Restarter = (*Executor)(nil)
	_ executor.Adopter   = (*Executor)(nil)
)

// New makes the executor. It touches nothing: a host or a certificate that is no good shows when it is first needed.
func New(o Options) *Executor {
	if o.Host == "" {
		o.Host = DefaultHost
	}
	if o.Timeout <= 0 {
		o.Timeout = time.Minute
	}
	if o.Grace <= 0 {
		o.Grace = 10 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Executor{options: o, place: parsePlace(o.Host), probe: replicas.NewProber()}
}

// Close lets go of idle connections; the executor can still be used.
func (e *Executor) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.made == nil {
		return nil
	}
	return e.made.Close()
}

// Kind is the block of all targets.
func (*Executor) Kind() template.Kind { return container.Kind() }

// Target is the engine's address.
func (e *Executor) Target(executor.Request) string { return e.place.shown }

// place is what the address of an engine says.
type place struct {
	shown string
	// host is where published ports are to be reached.
	host string
	// local: containers' own addresses can be reached.
	local bool
}

func parsePlace(host string) place {
	scheme, rest, _ := strings.Cut(host, "://")
	if scheme == "unix" || scheme == "npipe" {
		return place{shown: host, host: "127.0.0.1", local: true}
	}
	rest = rest[strings.LastIndex(rest, "@")+1:] // no password of anybody's
	name := rest
	if colon := strings.LastIndex(rest, ":"); colon >= 0 {
		name = strings.Trim(rest[:colon], "[]")
	}
	return place{shown: scheme + "://" + rest, host: name, local: name == "localhost" || strings.HasPrefix(name, "127.") || name == "::1"}
}

// Apply makes the replicas be as the block says, one after the other.
func (e *Executor) Apply(ctx context.Context, r executor.Request) (executor.Outputs, error) {
	w, err := e.begin(ctx, r)
	if err != nil {
		return nil, err
	}
	return w.apply(ctx)
}

func (w *work) apply(ctx context.Context) (executor.Outputs, error) {
	for _, step := range []func(context.Context) error{w.prepare, w.converge, w.settle} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	if err := w.leaveNetworks(ctx, w.block.Networks); err != nil {
		return nil, err
	}
	return w.outputs(ctx)
}

// Destroy removes the step's containers, and its networks and volumes that nobody else uses, and looks that none is left.
func (e *Executor) Destroy(ctx context.Context, r executor.Request) error {
	w, _, err := e.loosely(ctx, r)
	if err != nil {
		return err
	}
	found, err := w.list(ctx)
	if err != nil {
		return err
	}
	for i, f := range found {
		replicas.Progress(w.r, "removing", i, len(found))
		if err := w.remove(ctx, f); err != nil {
			return err
		}
	}
	if err := w.leaveNetworks(ctx, nil); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{w.removeVolumes, w.settle, w.prove} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Observe compares what is there with the block.
func (e *Executor) Observe(ctx context.Context, r executor.Request) (event.Observation, error) {
	w, wrong, err := e.loosely(ctx, r)
	if err != nil {
		return event.Observation{Presence: event.PresenceUnknown}, err
	}
	if wrong != nil {
		return w.target().Presence(ctx)
	}
	return w.observe(ctx)
}

// Plan compares what the block asks for with what is there.
func (e *Executor) Plan(ctx context.Context, r executor.Request, verb event.Verb) (executor.Plan, error) {
	w, wrong, err := e.loosely(ctx, r)
	if err == nil && verb != event.Destruct {
		err = wrong
	}
	if err != nil {
		return executor.Plan{}, err
	}
	var plan event.Plan
	if verb == event.Destruct {
		plan, err = w.target().PlanDestroy(ctx)
	} else if err = w.take(ctx); err == nil {
		plan, err = w.plan(ctx)
	}
	return executor.Plan{Plan: plan}, err
}
