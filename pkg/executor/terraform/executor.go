package terraform

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// DefaultGrace is how long a cancelled Terraform may take to save its state and end.
const DefaultGrace = 30 * time.Second

// Options configure the executor.
type Options struct {
	// Binary is the path of tofu or terraform; "" looks with Find when it is first needed.
	Binary string
	// CacheDir keeps modules that were initialised, for all steps that run them; it is this runner's alone and may be lost at
	// any time. "" has each step initialise its own.
	CacheDir string
	// Fetch returns a folder with the files of a git repository at a branch, tag or commit ("" is the default branch), and the
	// commit; nil where modules from git can't be had. Only Kind.Inspect calls it: what a task needs comes with it.
	Fetch func(ctx context.Context, repository, ref string) (dir, commit string, err error)
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
	modules locks
	// initialising is held during an init into the shared plugin cache, which two may not write at once.
	initialising sync.Mutex
}

var (
	_ executor.Executor = (*Executor)(nil)
	_ executor.Adopter  = (*Executor)(nil)
)

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
	run, err := e.begin(ctx, r)
	if err != nil {
		return nil, err
	}
	defer run.close()
	if err := run.open(ctx); err != nil {
		return nil, err
	}
	saved, err := run.usable()
	if err != nil {
		return nil, err
	}
	if err := run.execute(ctx, apply, saved); err != nil {
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
	run, err := e.begin(ctx, r)
	if err != nil {
		return err
	}
	defer run.close()
	if empty, err := run.nothingThere(); err != nil || empty {
		return err
	}
	if err := run.open(ctx); err != nil {
		return err
	}
	if err := run.execute(ctx, destroy, nil); err != nil {
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
	return run.forget(ctx)
}

// nothingThere tells whether a destroy has nothing to do; of a module's own backend only the program can tell.
func (run *run) nothingThere() (bool, error) {
	if run.module.backend != "" {
		return false, nil
	}
	state, err := run.keeper.parsed()
	if err != nil || len(state.managed()) > 0 {
		return false, err
	}
	return true, run.forget(context.WithoutCancel(run.keeper.saving))
}
