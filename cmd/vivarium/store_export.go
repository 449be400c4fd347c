package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/vivarium-env/vivarium/pkg/backup"
	"github.com/vivarium-env/vivarium/pkg/config"
	"github.com/vivarium-env/vivarium/pkg/store"
)

func newStoreExport(c *cli) *cobra.Command {
	var logs bool
	cmd := &cobra.Command{Use: "export FILE", Args: cobra.ExactArgs(1), Short: "Write all that the store holds into a file",
		Long: "Writes all that the store holds into a file, while servers may go on: journal, states and templates, as of one moment in\n" +
			"each partition. Secrets are sealed in it as they are in the store, and the key is not in it: keep the data folder's file\n" +
			"\"key\" (or VIVARIUM_KEY) elsewhere, since without it nobody can go on with what is imported.",
		Example: `  vivarium store export backup.vivarium
  vivarium store export backup.vivarium --store arangodb://db:8529/vivarium --logs`}
	x := c.storeCommand(cmd)
	cmd.Flags().BoolVar(&logs, "logs", false, "with the lines that steps printed")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return x.withStore(cmd.Context(), false, false, func(settings config.Settings, s store.Store) error {
			e := backup.Export{Cluster: settings.PrimaryClusterName, Partitions: settings.Partitions, Program: version, Logs: logs,
				Now: time.Now().UTC(), Progress: x.progress()}
			summary, err := exportTo(cmd.Context(), e, s, args[0])
			if err != nil {
				return err
			}
			return errors.Join(x.summary("is whole", args[0], summary), x.leftOut(cmd.Context(), s))
		})
	}
	return cmd
}

// leftOut says what is in the store, and not in the file.
func (x *storeCommand) leftOut(ctx context.Context, s store.Store) error {
	asides, err := s.Asides(ctx)
	count := uint64(0)
	for _, a := range asides {
		count += a.Last - a.First + 1
	}
	if count > 0 {
		_, _ = fmt.Fprintf(x.err, "Not in the file: %s set aside earlier (vivarium cluster divergence); keep the old store for that.\n",
			numbered(int(count), "entry", "entries")) //nolint:gosec // few
	}
	return err
}

// exportTo writes beside the file, and gives it its name when it is whole and on the disk. What is there is replaced then.
func exportTo(ctx context.Context, e backup.Export, s store.Store, file string) (summary backup.Summary, err error) {
	f, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".part-*")
	if err != nil {
		return summary, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	summary, err = e.Write(ctx, s, f)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return summary, err
	}
	return summary, os.Rename(f.Name(), file)
}
