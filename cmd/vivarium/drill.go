package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/vivarium-env/vivarium/pkg/backup"
	"github.com/vivarium-env/vivarium/pkg/config"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/memory"
	"github.com/vivarium-env/vivarium/pkg/resilience"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// drill is a takeover in a folder of its own: a server of this program on a copy of the store, with a bus of its own, that does
// nothing but look.
type drill struct {
	settings config.Settings // of the secondary
	dir      string
	until    time.Time
	heads    []store.Head // of the copy, before the takeover
	busy     []*environment.State
	report   drillReport
}

// drill makes the copy, takes over in it, and waits until all that is in doubt was looked at. Nothing is left of it.
func (c *cli) drill(ctx context.Context, settings config.Settings, from store.Store, patience time.Duration) (report drillReport, err error) {
	d := &drill{settings: settings, until: time.Now().Add(patience), report: drillReport{Time: time.Now().UTC(), Cluster: settings.PrimaryClusterName}}
	if d.dir, err = os.MkdirTemp("", "vivarium-drill-"); err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(d.dir)) }()
	if err := errors.Join(d.copyStore(ctx, from), d.copyKeys()); err != nil {
		return report, err
	}
	s, err := c.newInstance(d.sandboxed())
	if err != nil {
		return report, err
	}
	s.drill = true
	if err := s.start(ctx); err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, s.stop(ctx)) }()
	return d.watch(ctx, s.store)
}

// copyStore copies journal and states as they are at one moment, and takes over in the copy.
func (d *drill) copyStore(ctx context.Context, from store.Store) (err error) {
	file, err := os.CreateTemp(d.dir, "copy-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close(), os.Remove(file.Name())) }()
	e := backup.Export{Cluster: d.settings.PrimaryClusterName, Partitions: d.settings.Partitions, Program: version, Now: d.report.Time}
	if _, err := e.Write(ctx, from, file); err != nil {
		return err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return withSQLite(ctx, filepath.Join(d.dir, "store.db"), func(to store.Store) error {
		if _, err := (backup.Import{Partitions: d.settings.Partitions}).Read(ctx, file, to); err != nil {
			return err
		}
		return d.takeOver(ctx, to)
	})
}

// takeOver notes how everything stands, and journals the takeover.
func (d *drill) takeOver(ctx context.Context, to store.Store) error {
	for n := range d.settings.Partitions {
		m, err := memory.Load(ctx, to, n)
		if err != nil {
			return err
		}
		d.heads = append(d.heads, store.Head{Partition: n, Seq: m.Seq, Chain: m.Chain})
		if m.Seq > 0 {
			d.report.Partitions = append(d.report.Partitions, drillPartition{n, m.Seq, m.Chain})
		}
		for _, s := range m.States {
			if s.Busy() {
				d.busy = append(d.busy, s)
			}
		}
	}
	epoch, err := to.Epoch(ctx)
	if err != nil {
		return err
	}
	d.report.Epoch = max(epoch, 1) + 1
	return journal(ctx, to, environment.Promoted{Epoch: d.report.Epoch, Side: "drill", Server: "drill", Forced: true})
}

// copyKeys lets the sandbox open what is sealed.
func (d *drill) copyKeys() error {
	for _, name := range []string{keyFile, "key"} {
		data, err := os.ReadFile(filepath.Join(d.settings.DataDir, name))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if err := writePrivate(filepath.Join(d.dir, name), data); err != nil {
			return err
		}
	}
	return nil
}

// sandboxed are the settings of a primary that nobody else can hear.
func (d *drill) sandboxed() config.Settings {
	s := d.settings
	s.Primary, s.Bus, s.Store, s.DataDir, s.Listen = true, "embedded", "sqlite", d.dir, "127.0.0.1:0"
	s.Consul, s.Replication, s.Cluster = config.Consul{}, config.Replication{}, config.Cluster{}
	s.Runner.Enabled, s.Runner.WorkDir, s.DriftInterval = true, "", 0
	s.Log.Level = "error"
	s.StopTimeout = 10 * time.Second // a bound for a busy machine: there is nothing to drain but looks
	if s.Process.Folder == "" {      // what is to be looked at is where the secondary's runner would have it
		s.Process.Folder = processOptions(nil, d.settings, nil, nil).Folder
	}
	return s
}

// watch reads what the takeover comes to until all is told, or time is up.
func (d *drill) watch(ctx context.Context, s store.Store) (drillReport, error) {
	for {
		pending, err := d.look(ctx, s)
		if err != nil || !pending || time.Now().After(d.until) {
			return d.report, err
		}
		if err := resilience.Pause(ctx, 200*time.Millisecond); err != nil {
			return d.report, err
		}
	}
}
