package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/cluster/consul"
	"github.com/vivarium-env/vivarium/pkg/config"
	"github.com/vivarium-env/vivarium/pkg/executor/initialise"
	"github.com/vivarium-env/vivarium/pkg/runner"
	"github.com/vivarium-env/vivarium/pkg/telemetry"
)

func newRunner(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "runner --pool POOL",
		Short: "Run a runner, which takes tasks from the bus",
		Long: "Runs a runner until SIGINT or SIGTERM: the first lets running tasks finish, the second cancels them.\n\n" +
			"It needs nothing but the bus's address, and opens no port. Without --bus it finds the server of the data folder.",
		Example: "  vivarium runner --pool eu --bus amqps://runner:secret@rabbitmq.example.test/",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			settings, err := c.settings(cmd)
			if err != nil {
				return err
			}
			if settings.IsDefault("runner.pools") {
				return usage("--pool is required: the pool whose tasks it takes, such as default")
			}
			return c.serveRunner(cmd.Context(), settings)
		},
	}
	cmd.AddCommand(newRunnerList(c, "list"))
	settingFlags(cmd, "pool", "bus", "consul", "name", "label", "concurrency", "work-dir", "plugins", "data-dir", "stop-timeout", "log-level", "log-format")
	return cmd
}

// serveRunner runs a runner until the first signal, and lets it drain.
func (c *cli) serveRunner(ctx context.Context, settings config.Settings) (err error) {
	log, err := telemetry.NewLogger(c.err, settings.Log.Level, settings.Log.Format)
	if err != nil {
		return err
	}
	link, err := linkConsul(ctx, settings.Consul, "", nil, log.With("part", "consul"))
	if err != nil {
		return err
	}
	defer link.close()
	address, access, err := busOf(ctx, settings, link)
	if err != nil {
		return err
	}
	dir, err := filepath.Abs(filepath.Join(settings.DataDir, "runner"))
	if err != nil {
		return err
	}
	pools := settings.Runner.Pools
	k := newKit(ctx, settings, runnerName(settings, strings.Join(pools, "-")), dir, c.variables, initialise.Options{}, log)
	if err := k.plug(ctx, c.variables); err != nil {
		return err
	}
	held, err := k.hold(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, held.release()) }()
	if access.login, err = newBusLogin(settings, c.variables, log); err != nil {
		return err
	}
	if err := access.login.start(ctx, nil); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, access.login.stopWithin()) }()
	b, err := dial(ctx, address, k.name, access, log.With("part", "bus"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeWithin(b)) }()
	r, err := k.runner(b, nil)
	if err != nil {
		return err
	}
	work := k.serving(r)
	if err := work.Start(ctx); err != nil {
		return err
	}
	if err := link.register(ctx, runnerInstance(k, r, newID("runner"), link)); err != nil {
		return errors.Join(err, work.Stop(c.hard))
	}
	_, _ = fmt.Fprintf(c.out, "Runner %s takes tasks of pool %s. Ctrl-C stops it.\n", k.name, strings.Join(pools, ", "))
	<-ctx.Done()
	log.Info("the runner is stopping", "timeout", settings.StopTimeout)
	drain, cancel := context.WithTimeout(c.hard, settings.StopTimeout)
	defer cancel()
	return errors.Join(link.leave(drain), work.Stop(drain))
}

// runnerInstance is what Consul is told of a runner. It has no port, so nobody but itself can say that it is well.
func runnerInstance(k *kit, r *runner.Runner, id string, link *consulLink) func() consul.Instance {
	return func() consul.Instance {
		status := r.Status()
		return consul.Instance{ID: id, Service: link.service + "-runner", Name: k.name, Cluster: status.Cluster, Role: "runner", Epoch: status.Epoch, Version: version}
	}
}

// busOf is the configured bus, or that of the server on this machine.
func busOf(ctx context.Context, settings config.Settings, link *consulLink) (address string, access busAccess, err error) {
	if settings.Bus != "embedded" {
		if access.roots, err = readRoots(settings.BusCAFile, "the broker"); err != nil {
			return "", access, err
		}
		address, err = link.bus(ctx, settings.Bus)
		return address, access, err
	}
	d, err := findServer(settings.DataDir)
	return d.Bus, busAccess{roots: d.BusCA}, err
}

func closeWithin(b bus.Bus) error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	return b.Close(ctx)
}

// runnerName is the configured one, or the host's with what tells several runners on one host apart.
func runnerName(settings config.Settings, what string) string {
	if settings.Runner.Name != "" {
		return settings.Runner.Name
	}
	host, err := os.Hostname()
	if err != nil {
		host = "runner"
	}
	return host + "-" + what
}

// hold keeps a second runner of the same name away from this one's files.
func (k *kit) hold(ctx context.Context) (*lock, error) {
	dir := filepath.Join(k.dir, "names", k.name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return takeLock(ctx, dir)
}
