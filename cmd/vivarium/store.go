package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vivarium-env/vivarium/pkg/backup"
	"github.com/vivarium-env/vivarium/pkg/config"
	"github.com/vivarium-env/vivarium/pkg/store"
)

func newStore(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "store",
		Short: "Move what a store holds, check it, and mend its records",
		Long: "Moves what a store holds through one file into another store of any driver, checks such a file, and makes the records\n" +
			"that readers see anew from the journal.",
		RunE: groupOnly,
	}
	cmd.AddCommand(newStoreExport(c), newStoreImport(c), newStoreVerify(c), newStoreRebuild(c), newStoreAside(c))
	return cmd
}

// storeCommand is what the commands on a store have in common.
type storeCommand struct {
	*cli
	cmd    *cobra.Command
	output string
}

func (c *cli) storeCommand(cmd *cobra.Command) *storeCommand {
	x := &storeCommand{cli: c, cmd: cmd}
	settingFlags(cmd, "store", "data-dir")
	cmd.Flags().Int("partitions", 0, "partitions of the store ($VIVARIUM_PARTITIONS) (default 16)")
	outputFlag(cmd, &x.output, formatTable, formatJSON)
	return x
}

// withStore opens the store of the settings. Alone takes the data folder, as a server does, where the store is a file in it.
func (x *storeCommand) withStore(ctx context.Context, alone, made bool, work func(config.Settings, store.Store) error) (err error) {
	settings, err := x.settings(x.cmd)
	if err != nil {
		return err
	}
	if s, err := x.cmd.Flags().GetInt("partitions"); err == nil && x.cmd.Flags().Changed("partitions") {
		settings.Partitions = s
	}
	file := filepath.Join(settings.DataDir, "store.db")
	if p, ok := strings.CutPrefix(settings.Store, "sqlite:"); ok {
		file = p
	}
	if !strings.HasPrefix(settings.Store, "arangodb") {
		release, err := prepareFile(ctx, settings.DataDir, file, alone, made)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, release()) }()
	}
	s, err := openStore(ctx, settings, file, false, x.variables, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return work(settings, s)
}

// prepareFile locks the data folder where it has to be had alone. A store that is only read is not made.
func prepareFile(ctx context.Context, dir, file string, alone, made bool) (release func() error, err error) {
	if made {
		err = os.MkdirAll(dir, 0o700)
	} else if _, err = os.Stat(file); err != nil {
		return nil, usage("there is no store: %w; name its folder with --data-dir, or the store with --store", err)
	}
	if err != nil || !alone {
		return func() error { return nil }, err
	}
	if _, err := os.Stat(dir); err != nil {
		return func() error { return nil }, nil //nolint:nilerr // a store elsewhere, and no server's folder to be in the way of
	}
	l, err := takeLock(ctx, dir)
	if err != nil {
		return nil, err
	}
	return l.release, nil
}

// progress says on stderr, once a second, how far it is.
func (x *storeCommand) progress() backup.Progress {
	last := time.Now()
	return func(partition int, counts backup.Counts) {
		if time.Since(last) < time.Second {
			return
		}
		last = time.Now()
		_, _ = fmt.Fprintf(x.err, "partition %d, %d entries so far\n", partition, counts.Entries)
	}
}

// summary prints what it came to.
func (x *storeCommand) summary(what, file string, s backup.Summary) error {
	if x.output == formatJSON {
		return writeJSON(x.out, s)
	}
	_, err := fmt.Fprintf(x.out, "%s %s: cluster %s, from %s %s, %s\n", file, what, s.Cluster, s.Source.Driver, s.Source.Version, moment(s.Time))
	_, err2 := fmt.Fprintf(x.out, "%d entries in %d partitions, %d states, %d templates, %d log lines\nSHA-256 %s\n",
		s.Entries, s.Partitions, s.States, s.Templates, s.LogLines, s.SHA256)
	if s.Missing > 0 {
		_, _ = fmt.Fprintf(x.err, "%d states or templates that the journal names were not in the store any more\n", s.Missing)
	}
	return errors.Join(err, err2)
}
