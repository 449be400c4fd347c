package terraform

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/internal/bundle"
	"github.com/vivarium-env/vivarium/pkg/executor/internal/process"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// run is one request's work: the state is served, and the module's copy is where it runs.
type run struct {
	executor *Executor
	request  executor.Request
	block    block
	module   module
	place    string // the module's folder in the template
	sub      string // and in the bundle
	keeper   *keeper
	server   *stateServer // nil when the module has a backend of its own
	binary   string
	version  string
	look     bool     // nothing may be made, not even a workspace
	missing  bool     // a look has found no workspace, and so no state
	before   []holder // attempts that may have left a lock
	stamp    stamp
	copy     string // of the bundle
	data     string // what Terraform would keep in .terraform
}

// load finds and reads the request's module.
func load(r executor.Request) (b block, m module, sub string, err error) {
	if b, err = decode(r); err != nil {
		return b, m, "", err
	}
	clean, err := placeOf(b.Source)
	if err != nil {
		return b, m, "", fault.New(fault.GiveUp, fault.Invalid, "the source %q of %s %s", b.Source, r.Step, err)
	}
	fsys := os.DirFS(r.Bundle)
	sub, ok := bundle.Locate(fsys, clean, isModule)
	if r.Bundle == "" || !ok {
		return b, m, "", fault.New(fault.GiveUp, fault.NotFound, "the module %s of %s did not come with the task", b.Source, r.Step)
	}
	m, diags := read(fsys, sub)
	if diags.HasErrors() {
		f := fault.New(fault.GiveUp, fault.InvalidTemplate, "the module %s of %s can't be read: %s", b.Source, r.Step, diags[0].Summary)
		return b, m, "", f.With(diagnostics(diags, sub, clean)...)
	}
	return b, m, sub, nil
}

// begin reads what the request is about; nothing is started.
func (e *Executor) begin(ctx context.Context, r executor.Request) (*run, error) {
	if err := ctx.Err(); err != nil {
		return nil, fault.From(err)
	}
	run := &run{executor: e, request: r, copy: filepath.Join(r.WorkDir, "module"), data: filepath.Join(r.WorkDir, "data")}
	var err error
	if run.block, run.module, run.sub, err = load(r); err != nil {
		return nil, err
	}
	run.place, _ = placeOf(run.block.Source) // load has read it
	run.keeper, err = e.keep(ctx, r)
	return run, err
}

// open makes the run ready to start the program, once what an earlier attempt left running has ended.
func (run *run) open(ctx context.Context) (err error) {
	if run.binary, run.version, err = run.executor.tool.get(ctx); err != nil {
		return err
	}
	if err := process.EndLeftovers(ctx, run.record(), run.marks()); err != nil {
		return run.wrap(ctx, err, "what an earlier attempt of %s left running can't be ended", run.request.Step)
	}
	if run.module.backend == "" {
		if run.server, err = serve(ctx, run.keeper, run.executor.options.Log); err != nil {
			return run.wrap(ctx, err, "the state of %s can't be served on loopback", run.request.Step)
		}
	}
	if err := run.adopt(); err != nil {
		return run.unsaved(ctx, err)
	}
	if err := run.prepare(ctx); err != nil || run.missing {
		return err
	}
	return run.imports(ctx)
}

func (run *run) close() {
	if run.server != nil {
		run.server.close()
	}
	run.keeper.stop()
}

// program runs OpenTofu or Terraform to its end in the module's copy. files are open in it from descriptor 3 on.
func (run *run) program(ctx context.Context, out, err func([]byte, bool), files []*os.File, args ...string) (code int, _ error) {
	return process.Run(ctx, process.Command{
		Path: run.binary, Args: append([]string{filepath.Base(run.binary)}, args...),
		Dir: run.dir(), Env: run.processEnvironment(), Files: files, Grace: run.executor.options.Grace,
		Out: out, Err: err, MaxLine: maxMessage,
		Record: run.record(), Marks: run.marks(),
	})
}

// state is the present one.
func (run *run) state(ctx context.Context) (state, error) {
	switch {
	case run.module.backend == "":
		return run.keeper.parsed()
	case run.missing:
		return state{}, nil
	}
	return run.pull(ctx)
}

// forget removes a state that has nothing in it any more.
func (run *run) forget(ctx context.Context) error {
	if run.module.backend != "" {
		return run.deleteWorkspace(ctx)
	}
	if run.keeper.copy().empty() {
		return nil
	}
	if err := run.keeper.remove(); err != nil {
		return run.unsaved(ctx, err)
	}
	return nil
}

func (run *run) unsaved(ctx context.Context, err error) error {
	if lost := run.keeper.trouble(); lost != nil {
		err = lost
	}
	return run.wrap(ctx, err, "the state of %s can't be kept", run.request.Step)
}

// adopt takes over what Terraform wrote to the working folder when it could not hand its state in, in this run or in one
// that was killed; it must not stay there in clear.
func (run *run) adopt() error {
	if run.request.SaveState == nil {
		return nil // a look; the next attempt does it
	}
	file := filepath.Join(run.dir(), "errored.tfstate")
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && run.server != nil && run.newer(text) {
		err = run.keeper.write(text)
	}
	return errors.Join(err, os.Remove(file))
}

// newer tells whether a state is one that follows the kept one.
func (run *run) newer(text []byte) bool {
	left, err := parseState(text)
	if err != nil {
		return false // cut short by a crash
	}
	kept, err := run.keeper.parsed()
	return err == nil && (kept.Lineage == "" || kept.Lineage == left.Lineage && left.Serial > kept.Serial)
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
