package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/vivarium-env/vivarium/pkg/backup"
	"github.com/vivarium-env/vivarium/pkg/config"
	"github.com/vivarium-env/vivarium/pkg/store"
)

func newStoreRebuild(c *cli) *cobra.Command {
	var look, detailed bool
	cmd := &cobra.Command{Use: "rebuild", Short: "Make the records that readers see anew from the journal, and say what differed",
		Long: "Folds the whole journal, and writes the records of those environments anew in which something was other than the journal\n" +
			"says. The server has to be stopped. Journal, states, templates and log lines stay as they are."}
	x := c.storeCommand(cmd)
	cmd.Flags().BoolVar(&look, "dry-run", false, "write nothing")
	cmd.Flags().BoolVar(&detailed, "detailed-exitcode", false, "exit with 3 when something differed")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return x.withStore(cmd.Context(), true, false, func(settings config.Settings, s store.Store) error {
			found, err := backup.Rebuild(cmd.Context(), s, settings.Partitions, look, x.progress())
			if err != nil {
				return err
			}
			if err := x.rebuilt(found); err != nil {
				return err
			}
			if detailed && len(found.Differences) > 0 {
				return errOther
			}
			return nil
		})
	}
	return cmd
}

func (x *storeCommand) rebuilt(r backup.Rebuilt) error {
	if x.output == formatJSON {
		return writeJSON(x.out, r)
	}
	_, _ = fmt.Fprintf(x.out, "%d environments, %d resources and %d operations are folded from the journal; %d things differed, %d environments are written anew.\n",
		r.Environments, r.Resources, r.Operations, len(r.Differences), r.Repaired)
	if len(r.Differences) == 0 {
		return nil
	}
	rows := [][]string{{"ENVIRONMENT", "WHAT", "HOW"}}
	for _, d := range r.Differences {
		rows = append(rows, []string{d.Environment, d.What, d.How})
	}
	return table(x.out, rows)
}
