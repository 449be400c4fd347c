package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/vivarium-env/vivarium/pkg/backup"
	"github.com/vivarium-env/vivarium/pkg/config"
	"github.com/vivarium-env/vivarium/pkg/store"
)

func newStoreImport(c *cli) *cobra.Command {
	cmd := &cobra.Command{Use: "import FILE", Args: cobra.ExactArgs(1), Short: "Write what a file holds into an empty store",
		Long: "Writes what a file holds into a store that is empty, or that holds a beginning of the same journal: an import that ended\n" +
			"early is run again and goes on. The whole file is read first; one that is cut off or altered is refused before anything\n" +
			"is written. No server may use the store until the import has said that it is done.",
		Example: `  vivarium store import backup.vivarium --data-dir /srv/vivarium
  vivarium store import backup.vivarium --store arangodb://db:8529/vivarium`}
	x := c.storeCommand(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return withFile(args[0], func(f *os.File) error {
			return x.withStore(cmd.Context(), true, true, func(settings config.Settings, s store.Store) error {
				i := backup.Import{Partitions: settings.Partitions, Progress: x.progress()}
				summary, err := i.Read(cmd.Context(), f, s)
				if err != nil {
					return err
				}
				return x.summary(fmt.Sprintf("is imported (%d entries were not there yet)", summary.Written), args[0], summary)
			})
		})
	}
	return cmd
}

func newStoreVerify(c *cli) *cobra.Command {
	cmd := &cobra.Command{Use: "verify FILE", Args: cobra.ExactArgs(1), Short: "Read a whole file, and say what is wrong with it",
		Long: "Reads a whole file: counts, checksums, sequences without gaps, facts that follow on each other, states and templates that\n" +
			"the journal names. With --store or --data-dir, the store has to hold the same journal; it may have gone on since."}
	x := c.storeCommand(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return withFile(args[0], func(f *os.File) error {
			read := func(against store.Journal) error {
				summary, err := backup.Verify(cmd.Context(), f, against, x.progress())
				if err != nil {
					return err
				}
				return x.summary("is whole", args[0], summary)
			}
			if !cmd.Flags().Changed("store") && !cmd.Flags().Changed("data-dir") {
				return read(nil)
			}
			return x.withStore(cmd.Context(), false, false, func(_ config.Settings, s store.Store) error { return read(s) })
		})
	}
	return cmd
}

func withFile(name string, work func(*os.File) error) (err error) {
	f, err := os.Open(name)
	if err != nil {
		return usage("can't read the file: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return work(f)
}
