package terraform

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"

	"github.com/vivarium-env/vivarium/pkg/executor/internal/bundle"
	"github.com/vivarium-env/vivarium/pkg/executor/internal/process"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// backendFile is an override file: it goes before what the module says, and comes last among its kind.
const backendFile = "zz_vivarium_override.tf"

// backendText has no setting: address and password come by the environment and so never reach a file.
const backendText = "terraform {\n  backend \"http\" {}\n}\n"

// stamp says what a working folder was initialised for. While it is the same, init is not run again.
type stamp struct {
	Files   string `json:"files"`
	Module  string `json:"module"`
	Binary  string `json:"binary"`
	Version string `json:"version"`
	Backend string `json:"backend"`
}

// prepare makes the copy of the module and initialises it, unless an earlier attempt has.
func (run *run) prepare(ctx context.Context) error {
	files, err := bundle.Hash(run.request.Bundle)
	if err != nil {
		return run.wrap(ctx, err, "the module of %s can't be read", run.request.Step)
	}
	want := stamp{Files: files, Module: run.sub, Binary: run.binary, Version: run.version, Backend: "http"}
	if run.module.backend {
		want.Backend = "own"
	}
	file := filepath.Join(run.request.WorkDir, "initialised.json")
	if run.initialised(file, want) {
		return nil
	}
	if err := run.copyModule(file); err != nil {
		return run.wrap(ctx, err, "the working folder of %s can't be made", run.request.Step)
	}
	if err := run.init(ctx); err != nil {
		return err
	}
	text, err := json.Marshal(want)
	if err == nil {
		err = replace(file, text)
	}
	if err != nil {
		return run.wrap(ctx, err, "the working folder of %s can't be written", run.request.Step)
	}
	return nil
}

func (run *run) initialised(file string, want stamp) bool {
	text, err := os.ReadFile(file)
	var found stamp
	return err == nil && json.Unmarshal(text, &found) == nil && found == want &&
		bundle.IsDir(os.DirFS(run.data), ".") && isModule(os.DirFS(run.copy), run.sub)
}

func (run *run) copyModule(stamp string) error {
	for _, old := range []string{stamp, run.copy, run.data} {
		if err := os.RemoveAll(old); err != nil {
			return err
		}
	}
	if err := bundle.Copy(run.copy, run.request.Bundle); err != nil {
		return err
	}
	if run.module.backend {
		return nil
	}
	return os.WriteFile(filepath.Join(run.dir(), backendFile), []byte(backendText), 0o600)
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
	code, err := process.Run(ctx, run.command([]string{"init", "-input=false", "-no-color"}, said.out, said.err))
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

func (run *run) command(args []string, out, err func([]byte, bool)) process.Command {
	return process.Command{
		Path: run.binary, Args: append([]string{filepath.Base(run.binary)}, args...),
		Dir: run.dir(), Env: run.processEnvironment(), Grace: run.executor.options.Grace,
		Out: out, Err: err, MaxLine: maxMessage,
		Record: run.record(), Marks: run.marks(),
	}
}
