package main

import (
	"log/slog"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/vivarium-env/vivarium/pkg/executor/action"
	"github.com/vivarium-env/vivarium/pkg/executor/noop"
	"github.com/vivarium-env/vivarium/pkg/executor/terraform"
	"github.com/vivarium-env/vivarium/pkg/template"
)

func newTemplate(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "template",
		Short: "Check and show templates",
		RunE:  groupOnly,
	}
	x := connectionFlags(c, cmd)
	cmd.AddCommand(newTemplateValidate(c), newTemplateGraph(c), newTemplateList(x))
	return cmd
}

// kinds are the schemas of all executors there are, for commands that compile without a runner.
func kinds() template.Kinds {
	log := slog.New(slog.DiscardHandler)
	all := template.Kinds{}
	modules := template.NewModules(filepath.Join(cacheDir(), "vivarium", "fetched"))
	for _, k := range []template.Kind{
		terraform.New(terraform.Options{Log: log, Fetch: modules.Fetch}).Kind(), action.New(action.Options{Log: log}).Kind(), noop.New().Kind(),
	} {
		all[k.Name] = k
	}
	return all
}

// cacheDir is the user's, or else where temporary files are.
func cacheDir() string {
	if dir, err := os.UserCacheDir(); err == nil {
		return dir
	}
	return os.TempDir()
}
