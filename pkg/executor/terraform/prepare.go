package terraform

import (
	"context"
	"os"
	"path/filepath"

	"github.com/vivarium-env/vivarium/pkg/executor/internal/bundle"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// backendFile is an override file: it goes before what the module says, and comes last among its kind.
const backendFile = "zz_vivarium_override.tf"

// backendText has no setting: address and password come by the environment and so never reach a file.
const backendText = "terraform {\n  backend \"http\" {}\n}\n"

// prepare gives the run a copy of the module, and a data folder that was initialised for it. Both stay as long as the module,
// the program and the backend do.
func (run *run) prepare(ctx context.Context) error {
	files, err := bundle.Hash(run.request.Bundle)
	if err != nil {
		return run.wrap(ctx, err, "the module of %s can't be read", run.request.Step)
	}
	run.stamp = stamp{Files: files, Module: run.sub, Binary: run.binary, Version: run.version, Backend: "http"}
	if run.module.backend != "" {
		run.stamp.Backend, run.stamp.Workspace = run.module.backend, run.workspace()
		return run.prepareAlone(ctx)
	}
	shared, err := run.executor.initialised(ctx, run)
	if err != nil {
		return err
	}
	run.data = shared.data()
	return run.copied(ctx, shared.module())
}

// copied makes the step's copy of a module that was initialised elsewhere. The copy is the step's alone, since modules may
// write beside themselves.
func (run *run) copied(ctx context.Context, from string) error {
	file := filepath.Join(run.request.WorkDir, stampFile)
	if readStamp(file) == run.stamp && isModule(os.DirFS(run.copy), run.sub) {
		return nil
	}
	if err := recopy(run.copy, from, file); err != nil {
		return run.wrap(ctx, err, "the working folder of %s can't be made", run.request.Step)
	}
	return run.stamped(ctx, file)
}

// prepareAlone initialises a module with a backend of its own in the step's folder: what is chosen there, a workspace for
// one, is the step's.
func (run *run) prepareAlone(ctx context.Context) error {
	file := filepath.Join(run.request.WorkDir, stampFile)
	if readStamp(file) == run.stamp && bundle.IsDir(os.DirFS(run.data), ".") && isModule(os.DirFS(run.copy), run.sub) {
		return nil
	}
	err := os.RemoveAll(run.data)
	if err == nil {
		err = recopy(run.copy, run.request.Bundle, file)
	}
	if err != nil {
		return run.wrap(ctx, err, "the working folder of %s can't be made", run.request.Step)
	}
	if err := run.init(ctx); err != nil {
		return err
	}
	if err := run.selectWorkspace(ctx); err != nil || run.missing {
		return err
	}
	return run.stamped(ctx, file)
}

func (run *run) stamped(ctx context.Context, file string) error {
	if err := writeStamp(file, run.stamp); err != nil {
		return run.wrap(ctx, err, "the working folder of %s can't be written", run.request.Step)
	}
	return nil
}

// recopy replaces a folder by a copy of another, and forgets the stamp first, which speaks of the old one.
func recopy(to, from, stamp string) error {
	for _, old := range []string{stamp, to} {
		if err := os.RemoveAll(old); err != nil {
			return err
		}
	}
	return bundle.Copy(to, from)
}

// init installs providers and modules. The module was read before, so what goes wrong here is mostly a registry or a
// network, and worth another try.
func (run *run) init(ctx context.Context) error {
	if cache := run.executor.options.PluginCacheDir; cache != "" {
		if err := os.MkdirAll(cache, 0o700); err != nil {
			return run.wrap(ctx, err, "the cache of providers can't be made")
		}
		run.executor.initialising.Lock()
		defer run.executor.initialising.Unlock()
	}
	said := &plain{run: run}
	code, err := run.program(ctx, said.out, said.err, nil, "init", "-input=false", "-no-color")
	switch {
	case err != nil:
		return run.wrap(ctx, err, "%s can't be started", run.binary)
	case code != 0:
		return fault.New(fault.Retry, fault.Unavailable,
			"the module of %s can't be initialised: %s; its providers and modules have to be reachable from the runner, or in its plugin cache",
			run.request.Step, run.request.Mask(said.message()))
	}
	return nil
}
