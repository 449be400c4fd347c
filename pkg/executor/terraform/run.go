package terraform

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/hashicorp/terraform-exec/tfexec"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/internal/bundle"
	"github.com/vivarium-env/vivarium/pkg/executor/internal/process"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// run is one request's work: the state is claimed and served, and the module's copy is where it runs.
type run struct {
	executor *Executor
	request  executor.Request
	block    block
	module   module
	sub      string // the module's folder in the bundle
	claim    *claim
	server   *stateServer // nil when the module has a backend of its own
	binary   string
	version  string
	copy     string // of the bundle
	data     string // what Terraform would keep in .terraform
}

// load finds and reads the request's module.
func load(r executor.Request) (m module, sub string, err error) {
	b, err := decode(r)
	if err != nil {
		return m, "", err
	}
	clean, err := bundle.Clean(b.Source)
	if err != nil {
		return m, "", fault.New(fault.GiveUp, fault.Invalid, "the source %q of %s %s", b.Source, r.Step, err)
	}
	fsys := os.DirFS(r.Bundle)
	sub, ok := bundle.Locate(fsys, clean, isModule)
	if r.Bundle == "" || !ok {
		return m, "", fault.New(fault.GiveUp, fault.NotFound, "the module %s of %s did not come with the task", b.Source, r.Step)
	}
	m, diags := read(fsys, sub)
	if diags.HasErrors() {
		f := fault.New(fault.GiveUp, fault.InvalidTemplate, "the module %s of %s can't be read: %s", b.Source, r.Step, diags[0].Summary)
		return m, "", f.With(diagnostics(diags, sub, clean)...)
	}
	return m, sub, nil
}

func (e *Executor) open(ctx context.Context, r executor.Request) (*run, error) {
	if err := ctx.Err(); err != nil {
		return nil, fault.From(err)
	}
	run := &run{
		executor: e, request: r,
		copy: filepath.Join(r.WorkDir, "module"), data: filepath.Join(r.WorkDir, "data"),
	}
	var err error
	if run.block, err = decode(r); err != nil {
		return nil, err
	}
	if run.module, run.sub, err = load(r); err != nil {
		return nil, err
	}
	if run.binary, run.version, err = e.tool.get(ctx); err != nil {
		return nil, err
	}
	if err := process.EndLeftovers(ctx, run.record(), run.marks()); err != nil {
		return nil, run.wrap(ctx, err, "what an earlier attempt of %s left running can't be ended", r.Step)
	}
	return run, run.connect(ctx)
}

// connect claims the state and serves it, unless the module keeps it elsewhere.
func (run *run) connect(ctx context.Context) error {
	if run.module.backend {
		return nil
	}
	store, err := run.executor.store(run.request)
	if err != nil {
		return err
	}
	if run.claim, err = take(store, run.request.TaskRef, rand.Text()); err != nil {
		return err
	}
	if run.server, err = serve(ctx, run.claim, run.executor.options.Log); err != nil {
		run.claim.release()
		return run.wrap(ctx, err, "the state of %s can't be served on loopback", run.request.Step)
	}
	return nil
}

func (run *run) close() {
	if run.server != nil {
		run.server.close()
		run.claim.release()
	}
}

// state is the present one.
func (run *run) state(ctx context.Context) (state, error) {
	if !run.module.backend {
		return run.claim.store.parsed()
	}
	if err := run.prepare(ctx); err != nil {
		return state{}, err
	}
	tf, err := tfexec.NewTerraform(run.dir(), run.binary)
	if err == nil {
		err = tf.SetEnv(run.environment())
	}
	var text string
	if err == nil {
		text, err = tf.StatePull(ctx)
	}
	if err != nil {
		if ctx.Err() != nil {
			return state{}, fault.From(ctx.Err())
		}
		return state{}, fault.Wrap(err, fault.Retry, fault.ExecutorFailed, "the state of %s can't be read from the module's own backend", run.request.Step)
	}
	return parseState(json.RawMessage(text))
}

// nothingThere tells whether a destroy has nothing to do; of a module's own backend only the program can tell.
func (run *run) nothingThere() (bool, error) {
	if run.module.backend {
		return false, nil
	}
	state, err := run.claim.store.parsed()
	if err != nil || len(state.managed()) > 0 {
		return false, err
	}
	return true, run.forget()
}

// forget removes a state that has nothing in it any more.
func (run *run) forget() error {
	if run.module.backend {
		return nil
	}
	if err := run.claim.remove(); err != nil {
		return run.wrap(context.Background(), err, "the empty state of %s can't be removed", run.request.Step)
	}
	return nil
}

// adopt takes over what Terraform wrote to the working folder when it could not hand its state in; it must not stay
// there in clear.
func (run *run) adopt() error {
	file := filepath.Join(run.dir(), "errored.tfstate")
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && run.claim != nil && json.Valid(text) {
		err = run.claim.write(text)
	}
	return errors.Join(err, os.Remove(file))
}

// dir is the module's folder in the copy.
func (run *run) dir() string { return filepath.Join(run.copy, filepath.FromSlash(run.sub)) }

// wrap tells the end of the context, and what is a fault already, from everything else, which is the runner's trouble
// and may pass.
func (run *run) wrap(ctx context.Context, err error, format string, args ...any) error {
	var known *fault.Error
	switch {
	case ctx.Err() != nil:
		return fault.From(ctx.Err())
	case errors.As(err, &known):
		return known
	}
	return fault.Wrap(err, fault.Retry, fault.Internal, format, args...)
}
