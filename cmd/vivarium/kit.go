package main

import (
	"context"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/config"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/action"
	"github.com/vivarium-env/vivarium/pkg/executor/consulkv"
	"github.com/vivarium-env/vivarium/pkg/executor/initialise"
	"github.com/vivarium-env/vivarium/pkg/executor/noop"
	"github.com/vivarium-env/vivarium/pkg/executor/plugin"
	"github.com/vivarium-env/vivarium/pkg/executor/terraform"
	"github.com/vivarium-env/vivarium/pkg/executor/vault"
	"github.com/vivarium-env/vivarium/pkg/runner"
	"github.com/vivarium-env/vivarium/pkg/secret"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// kit is the executors of this program, and a runner made of them.
type kit struct {
	settings  config.Settings
	name      string // of the runner
	dir       string // of the runner's files
	log       *slog.Logger
	executors []executor.Executor
	kinds     template.Kinds
	box       func() *secret.Box
	making    initialise.Options
	vault     *vault.Client // nil where no Vault is configured; renews its token while it runs
	plugins   []*plugin.Plugin
	// terraformTrouble is why terraform steps will fail here, nil when they can work.
	terraformTrouble error
}

// newKit looks for the programs that executors need. dir holds the runner's files unless the settings name a folder. making says
// where keys are kept, and how servers are reached that are made ready; it is empty but in a bootstrap.
func newKit(ctx context.Context, settings config.Settings, name, dir string, variables map[string]string, making initialise.Options, log *slog.Logger) *kit {
	k := &kit{settings: settings, name: name, dir: dir, log: log, kinds: template.Kinds{}, making: making}
	if settings.Runner.WorkDir != "" {
		k.dir = settings.Runner.WorkDir
	}
	binary := settings.Terraform.Binary
	if binary == "" {
		binary, k.terraformTrouble = terraform.Find(ctx)
	} else if _, err := os.Stat(binary); err != nil {
		k.terraformTrouble = err
	}
	env := environmentOf(variables)
	k.executors = []executor.Executor{
		terraform.New(terraform.Options{
			Binary: binary, CacheDir: filepath.Join(k.dir, "modules", name), PluginCacheDir: settings.Terraform.PluginCacheDir,
			Fetch:       template.NewModules(filepath.Join(k.dir, "fetched")).Fetch,
			Environment: env, Log: log.With("executor", "terraform"),
		}),
		action.New(action.Options{CacheDir: filepath.Join(k.dir, "apps"), Environment: env, Log: log.With("executor", "action")}),
		noop.New(),
	}
	consul, here, err := consulOptions(variables, log.With("executor", consulkv.Name))
	if err != nil {
		log.Warn("this runner takes no consul_kv steps", "error", err)
	}
	k.takes(here, consulkv.New(consul))
	k.containers(variables)
	making.Key = func() *secret.Box { return k.box() }
	for _, e := range initialise.New(making) {
		k.takes(true, e)
	}
	secrets, here := vaultOptions(variables, log.With("executor", "vault"))
	client := vault.Connect(secrets)
	if here {
		k.vault = client
	}
	for _, e := range client.Executors() {
		k.takes(here, e)
	}
	for _, e := range k.executors {
		k.kinds[e.Kind().Name] = e.Kind()
	}
	return k
}

// takes adds an executor whose server this runner may not have: templates are compiled with its kind all the same, and
// its steps wait for a runner that can reach one.
func (k *kit) takes(here bool, e executor.Executor) {
	k.kinds[e.Kind().Name] = e.Kind()
	if here {
		k.executors = append(k.executors, e)
	}
}

// environmentOf is what executors may see of this process's environment: everything but our own settings, among which
// are the bus's password and the cluster's key.
func environmentOf(variables map[string]string) []string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		if !strings.HasPrefix(name, config.EnvPrefix) {
			list = append(list, name+"="+variables[name])
		}
	}
	return list
}

// runner makes the runner; without a box it gets one from the server that welcomes it.
func (k *kit) runner(b bus.Bus, box *secret.Box) (*runner.Runner, error) {
	if k.terraformTrouble != nil {
		k.log.Warn("terraform steps will fail on this runner: install OpenTofu or Terraform, or say where it is with VIVARIUM_TERRAFORM",
			"error", k.terraformTrouble)
	}
	work := filepath.Join(k.dir, "work", k.name)
	if err := os.MkdirAll(work, 0o700); err != nil {
		return nil, err
	}
	r, err := runner.New(runner.Options{
		Bus: b, Name: k.name, Pools: k.settings.Runner.Pools, Labels: k.settings.Runner.Labels, Executors: k.executors,
		Concurrency: k.settings.Runner.Concurrency, WorkDir: work, Box: box, Dial: k.making.Dial, Log: k.log.With("part", "runner"), Version: version,
	})
	if err != nil {
		return nil, err
	}
	k.box = r.Box
	return r, nil
}
