package main

import (
	"log/slog"

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
	for _, k := range []template.Kind{
		terraform.New(terraform.Options{Log: log}).Kind(), action.New(action.Options{Log: log}).Kind(), noop.New().Kind(),
	} {
		all[k.Name] = k
	}
	return all
}
