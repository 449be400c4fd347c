package process

import (
	"context"
	"log/slog"
	"time"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/container"
	"github.com/vivarium-env/vivarium/pkg/executor/container/internal/replicas"
	"github.com/vivarium-env/vivarium/pkg/secret"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// Options say where replicas and programs are.
type Options struct {
	// Folder is an absolute path, where replicas and volumes are kept. Runners of one machine that shall find each other's have the
	// same. It is made when it is first needed.
	Folder string
	// Programs are folders in which programs are looked for before those of Path.
	Programs []string
	// Path is a value of PATH: where programs are looked for, and what they get.
	Path string
	// Supervise is a program that calls supervisor.Main, with its arguments but the folder.
	Supervise []string
	// Self is the id of the replica that this runner is itself (the value of supervisor.Mark), "" where it is none.
	Self string
	// Key is the cluster's box, for fingerprints in records; it may be nil until the runner has one.
	Key func() *secret.Box
	// Grace is how long an apply that was cancelled may take to bring the old replica back; 0 is 10 seconds.
	Grace time.Duration
	Log   *slog.Logger
}

// Executor runs processes. It is safe for concurrent use, also by several runners of one folder.
type Executor struct {
	options Options
	probe   replicas.Prober
	digests digests
}

var (
	_ executor.Executor  = (*Executor)(nil)
	_ executor.Meter     = (*Executor)(nil)
	_ executor.Follower  = (*Executor)(nil)
	_ executor.Restarter = (*Executor)(nil)
)

// New makes the executor. It touches nothing.
func New(o Options) *Executor {
	if o.Grace <= 0 {
		o.Grace = 10 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Executor{options: o, digests: digests{known: map[string]digest{}}, probe: replicas.NewProber()}
}

// Kind is the block of all targets, less that nothing is taken over here.
func (*Executor) Kind() template.Kind {
	k := container.Kind()
	k.Adopts = false
	return k
}

// Apply makes the replicas be as the block says, one after the other.
func (e *Executor) Apply(ctx context.Context, r executor.Request) (executor.Outputs, error) {
	w, err := e.begin(ctx, r)
	if err != nil {
		return nil, err
	}
	for _, step := range []func(context.Context) error{w.prepare, w.converge} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return w.outputs()
}

// Destroy ends the step's processes, removes its folders and its volumes that nobody else uses, and looks that none is left.
func (e *Executor) Destroy(ctx context.Context, r executor.Request) error {
	w, _, err := e.loosely(ctx, r)
	if err != nil {
		return err
	}
	all, err := w.list()
	if err == nil {
		err = w.notSelf(all)
	}
	if err != nil {
		return err
	}
	for i, f := range all {
		replicas.Progress(w.r, "ending", i, len(all))
		if err := w.remove(ctx, f); err != nil {
			return err
		}
	}
	if err := w.removeVolumes(ctx); err != nil {
		return err
	}
	return w.prove(ctx)
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
	} else {
		plan, err = w.plan(ctx)
	}
	return executor.Plan{Plan: plan}, err
}
