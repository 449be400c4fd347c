package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/vivarium-env/vivarium/pkg/config"
)

func newServer(c *cli) *cobra.Command {
	var noRunner, handover bool
	cmd := &cobra.Command{
		Use:   "server",
		Short: "Run a server",
		Long: "Runs a server until SIGINT or SIGTERM: the first lets running work finish, the second cancels it.\n\n" +
			"Without further settings everything is on this machine and below one folder: bus, store and runner.",
		Example: `  vivarium server --primary
  vivarium server --primary --bus amqp://vivarium:secret@rabbitmq:5672/ --no-runner`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			settings, err := c.settings(cmd)
			if err != nil {
				return err
			}
			if noRunner {
				settings.Runner.Enabled = false
			}
			if handover {
				if err := c.awaitHandover(cmd.Context(), settings); err != nil {
					return err
				}
			}
			return c.serve(cmd.Context(), settings)
		},
	}
	settingFlags(cmd, "primary", "primary-cluster-name", "consul", "follow", "bus", "store", "data-dir", "listen", "catalogue", "parallelism",
		"stop-timeout", "pool", "label", "concurrency", "plugins", "log-level", "log-format")
	cmd.Flags().BoolVar(&noRunner, "no-runner", false, "run no tasks in this process ($VIVARIUM_RUNNER_ENABLED=false)")
	cmd.Flags().BoolVar(&handover, "await-handover", false, "with a new data folder, start once a bootstrap has handed its store over")
	return cmd
}

// serve runs a server until the first signal, and lets it drain.
func (c *cli) serve(ctx context.Context, settings config.Settings) error {
	for {
		s, err := c.newInstance(settings)
		if err != nil {
			return err
		}
		if err := s.start(ctx); err != nil {
			return err
		}
		_, _ = fmt.Fprint(c.out, s.banner(c.style(c.out), true))
		select {
		case <-ctx.Done():
			return s.stop(c.hard)
		case <-s.turning:
		}
		s.log.Warn("this process begins anew: its role has changed, or may have")
		settings.Listen = s.api.Addr() // whoever knows it finds it there again
		if err := s.stop(c.hard); err != nil {
			s.log.Warn("what did not end in time is in doubt", "error", err)
		}
	}
}
