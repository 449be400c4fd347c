package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/vivarium-env/vivarium/pkg/config"
	"github.com/vivarium-env/vivarium/pkg/executor/action"
	"github.com/vivarium-env/vivarium/pkg/executor/consulkv"
	"github.com/vivarium-env/vivarium/pkg/executor/container/docker"
	"github.com/vivarium-env/vivarium/pkg/executor/helm"
	"github.com/vivarium-env/vivarium/pkg/executor/initialise"
	"github.com/vivarium-env/vivarium/pkg/executor/noop"
	"github.com/vivarium-env/vivarium/pkg/executor/terraform"
	"github.com/vivarium-env/vivarium/pkg/executor/vault"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// pluginsVariable names the folder of plugins, also for commands that read no configuration.
const pluginsVariable = config.EnvPrefix + "PLUGINS"

func newTemplate(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "template",
		Short: "Check and show templates",
		RunE:  groupOnly,
	}
	x := connectionFlags(c, cmd)
	cmd.AddCommand(newTemplateValidate(c), newTemplateGraph(c), newTemplateList(x), newTemplateUsage(x), newTemplateImpact(x))
	return cmd
}

// kinds are the schemas of all executors there are, for commands that compile without a runner.
func (c *cli) kinds(ctx context.Context) (template.Kinds, error) {
	log := slog.New(slog.DiscardHandler)
	all := template.Kinds{}
	modules := template.NewModules(filepath.Join(cacheDir(), "vivarium", "fetched"))
	executors := append(vault.New(vault.Options{}), terraform.New(terraform.Options{Log: log, Fetch: modules.Fetch}),
		action.New(action.Options{Log: log}), noop.New(), consulkv.New(consulkv.Options{}), docker.New(docker.Options{}), helm.New(helm.Options{}))
	executors = append(executors, initialise.New(initialise.Options{})...)
	for _, e := range executors {
		all[e.Kind().Name] = e.Kind()
	}
	plugins, err := loadPlugins(ctx, c.variables[pluginsVariable], all, c.variables, log)
	for _, p := range plugins {
		all[p.Kind().Name] = p.Kind()
	}
	return all, err
}

// cacheDir is the user's, or else where temporary files are.
func cacheDir() string {
	if dir, err := os.UserCacheDir(); err == nil {
		return dir
	}
	return os.TempDir()
}
