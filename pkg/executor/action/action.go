package action

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"path/filepath"
	"time"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/internal/process"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// DefaultGrace is how long a cancelled command may take to end by itself.
const DefaultGrace = 10 * time.Second

// defaultPath is the PATH of commands when Options.Environment has none: Debian's.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Options configure the executor. Only CacheDir is required.
type Options struct {
	// CacheDir keeps fetched apps, by content; executors may share it.
	CacheDir string
	// Grace lies between SIGINT and SIGKILL when the work is cancelled; 0 is DefaultGrace.
	Grace time.Duration
	// Environment is the runner's, as KEY=VALUE; commands get PATH and HOME of it and nothing else, since the rest
	// may hold credentials.
	Environment []string
	// Client fetches apps and makes calls; nil is one that keeps no connection.
	Client *http.Client
	Log    *slog.Logger
}

// Executor runs commands and makes HTTP calls. It is safe for concurrent use.
type Executor struct {
	options    Options
	path, home string
	caller     *http.Client
	apps       apps
}

var (
	_ executor.Executor = (*Executor)(nil)
	_ executor.Targeter = (*Executor)(nil)
)

// New makes the executor.
func New(o Options) *Executor {
	if o.Grace <= 0 {
		o.Grace = DefaultGrace
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Client == nil {
		o.Client = &http.Client{Transport: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DisableKeepAlives:     true,
			TLSHandshakeTimeout:   connectTimeout,
			ResponseHeaderTimeout: connectTimeout,
		}}
	}
	e := &Executor{options: o, caller: newCaller(o.Client), path: lookup(o.Environment, "PATH"), home: lookup(o.Environment, "HOME")}
	if e.path == "" {
		e.path = defaultPath
	}
	return e
}

// Apply makes the call, or runs the command and returns its exit code and output. A command that fails is to be tried again, one that
// can't be started is not. Its lines go to the request's log while it runs.
func (e *Executor) Apply(ctx context.Context, r executor.Request) (executor.Outputs, error) {
	b, err := decode(r)
	if err != nil {
		return nil, err
	}
	env := identity(r)
	if b.HTTP != nil {
		return e.call(ctx, r, b.HTTP)
	}
	if err := process.EndLeftovers(ctx, recordOf(r), env); err != nil {
		return nil, wrap(ctx, err, "what an earlier attempt of %s left running can't be ended", r.Step)
	}
	run, err := e.prepare(ctx, r, b)
	if err != nil {
		return nil, err
	}
	out, errs := &tail{limit: jsonLimit}, &last{}
	code, err := process.Run(ctx, process.Command{
		Path: run.program, Args: b.Command, Dir: run.dir, Env: run.env,
		Grace: e.options.Grace, InterruptGroup: true,
		Out:    func(line []byte, more bool) { out.add(line, more); r.Log("out", string(line)) },
		Err:    func(line []byte, _ bool) { errs.add(line); r.Log("err", string(line)) },
		Record: recordOf(r), Marks: env,
	})
	switch {
	case err != nil:
		return nil, startFault(ctx, r, b.Command[0], err)
	case code != 0:
		return nil, exitFault(r, b.Command[0], code, errs.text)
	}
	e.options.Log.Debug("an action's command succeeded", "environment", r.Environment, "step", r.Step, "attempt", r.Attempt)
	return out.outputs(r), nil
}

// Destroy succeeds: an action leaves nothing of its own.
func (e *Executor) Destroy(ctx context.Context, r executor.Request) error {
	if err := process.EndLeftovers(ctx, recordOf(r), identity(r)); err != nil {
		return wrap(ctx, err, "what an earlier attempt of %s left running can't be ended", r.Step)
	}
	return nil
}

// Traceless says that there is nothing to prove about an action: it runs and is over.
func (*Executor) Traceless() {}

// Observe can't tell what a command did.
func (*Executor) Observe(context.Context, executor.Request) (event.Observation, error) {
	return executor.Look(event.PresenceUnknown, nil)
}

// Plan tells that an action that has not run would run; what that changes only the action knows.
func (*Executor) Plan(_ context.Context, r executor.Request, verb event.Verb) (executor.Plan, error) {
	plan := executor.Plan{Plan: event.Plan{Change: event.ChangeNone}}
	if verb == event.Apply && r.Outputs == nil {
		plan.Change = event.ChangeCreate
	}
	return plan, nil
}

func recordOf(r executor.Request) string { return filepath.Join(r.WorkDir, "process") }

// wrap tells the end of the context, and what is a fault already, from everything else, which is the runner's trouble
// and may pass.
func wrap(ctx context.Context, err error, format string, args ...any) error {
	var known *fault.Error
	switch {
	case ctx.Err() != nil:
		return fault.From(ctx.Err())
	case errors.As(err, &known):
		return known
	}
	return fault.Wrap(err, fault.Retry, fault.Internal, format, args...)
}
