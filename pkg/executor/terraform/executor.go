package terraform

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/secret"
)

// DefaultGrace is how long a cancelled Terraform may take to save its state and end.
const DefaultGrace = 30 * time.Second

// Options configure the executor. StateDir and Key are required.
type Options struct {
	// Binary is the path of tofu or terraform; "" looks with Find when it is first needed.
	Binary string
	// StateDir keeps the sealed states. It has to last as long as the environments.
	StateDir string
	// Key gives what seals the states; nil while it is not known yet. Called for every request.
	Key func() *secret.Box
	// PluginCacheDir keeps providers for all modules; "" has each module download its own.
	PluginCacheDir string
	// Grace lies between SIGINT and SIGKILL when the work is cancelled; 0 is DefaultGrace.
	Grace time.Duration
	// Environment is that of Terraform's processes, as KEY=VALUE: the runner's, in which providers find their
	// credentials. Variables that would change how Terraform itself works are taken out.
	Environment []string
	Log         *slog.Logger
}

// Executor applies and destroys modules. It is safe for concurrent use.
type Executor struct {
	options Options
	tool    tool
	// initialising is held during an init into the shared plugin cache, which two may not write at once.
	initialising sync.Mutex
}

var _ executor.Executor = (*Executor)(nil)

// New makes the executor; it touches nothing yet.
func New(o Options) *Executor {
	if o.Grace <= 0 {
		o.Grace = DefaultGrace
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Executor{options: o, tool: tool{binary: o.Binary}}
}

// Apply makes the module's resources be as the inputs say and returns the module's outputs.
func (e *Executor) Apply(ctx context.Context, r executor.Request) (executor.Outputs, error) {
	run, err := e.open(ctx, r)
	if err != nil {
		return nil, err
	}
	defer run.close()
	if err := run.execute(ctx, "apply"); err != nil {
		return nil, err
	}
	state, err := run.state(ctx)
	if err != nil {
		return nil, err
	}
	return state.outputs(r, run.module.Outputs), nil
}

// Destroy removes the module's resources, and is successful only when the state has none left.
func (e *Executor) Destroy(ctx context.Context, r executor.Request) error {
	run, err := e.open(ctx, r)
	if err != nil {
		return err
	}
	defer run.close()
	if empty, err := run.nothingThere(); err != nil || empty {
		return err
	}
	if err := run.execute(ctx, "destroy"); err != nil {
		return err
	}
	state, err := run.state(ctx)
	if err != nil {
		return err
	}
	if left := state.managed(); len(left) > 0 {
		return fault.New(fault.GiveUp, fault.OrphanSuspected,
			"%s was destroyed without an error, but its state still has %s; look at them and destroy again", r.Step, some(left))
	}
	return run.forget()
}

// Observe tells from the state whether resources are there.
func (e *Executor) Observe(ctx context.Context, r executor.Request) (event.Observation, error) {
	return executor.Look(e.look(ctx, r))
}

// Plan tells what is there, and so what would be made or removed.
func (e *Executor) Plan(ctx context.Context, r executor.Request, verb event.Verb) (executor.Plan, error) {
	found, err := e.look(ctx, r)
	return executor.PlanOf(found, err, verb)
}

func (e *Executor) look(ctx context.Context, r executor.Request) (event.Presence, error) {
	state, err := e.observe(ctx, r)
	if err != nil {
		return event.PresenceUnknown, err
	}
	if len(state.managed()) > 0 {
		return event.Present, nil
	}
	return event.Absent, nil
}

func (e *Executor) observe(ctx context.Context, r executor.Request) (state, error) {
	module, _, err := load(r)
	if err != nil {
		return state{}, err
	}
	if module.backend {
		run, err := e.open(ctx, r)
		if err != nil {
			return state{}, err
		}
		defer run.close()
		return run.state(ctx)
	}
	store, err := e.store(r)
	if err != nil {
		return state{}, err
	}
	return store.parsed()
}
