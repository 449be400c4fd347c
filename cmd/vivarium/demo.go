package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/vivarium-env/vivarium/pkg/client"
	"github.com/vivarium-env/vivarium/pkg/config"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// sample is the template that the demonstration deploys, and the environment's name.
const sample = "notes"

func newDemo(c *cli) *cobra.Command {
	var stay bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Start a server, deploy the sample environment and destroy it again",
		Long: "Starts a server in this process, deploys the sample environment over the bus as any publisher would, and shows\n" +
			"how it goes. Then it destroys the environment and ends; with --stay it goes on serving until Ctrl-C instead.\n\n" +
			"Without --stay, data are kept in a temporary folder, and the API listens on a free port.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			settings, err := c.settings(cmd)
			if err != nil {
				return err
			}
			settings.Primary, settings.Runner.Enabled = true, true
			if settings.IsDefault("log.level") {
				settings.Log.Level = "warn" // the progress is what people came to see
			}
			if stay {
				return c.demoAndStay(cmd.Context(), settings)
			}
			return c.demo(cmd.Context(), settings)
		},
	}
	settingFlags(cmd, "data-dir", "listen", "catalogue", "bus", "log-level")
	cmd.Flags().BoolVar(&stay, "stay", false, "keep the environment and go on serving until Ctrl-C")
	return cmd
}

func (c *cli) demo(ctx context.Context, settings config.Settings) (err error) {
	if settings.IsDefault("data_dir") {
		if settings.DataDir, err = os.MkdirTemp("", "vivarium-demo-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(settings.DataDir)) }()
	}
	if settings.IsDefault("listen") {
		settings.Listen = "127.0.0.1:0"
	}
	s, err := c.newInstance(settings)
	if err != nil {
		return err
	}
	if err := s.start(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop(c.hard)) }()
	_, _ = fmt.Fprint(c.out, s.banner(c.style(c.out), false))
	err = c.deploySample(ctx, s)
	if ctx.Err() != nil || errors.As(err, new(refusal)) {
		return err
	}
	// Also after a failure, since what was raised should not be left behind.
	return errors.Join(err, c.demoOrder(ctx, s, event.EnvironmentDestroy, event.Destroy{}, environment.Destroyed))
}

func (c *cli) demoAndStay(ctx context.Context, settings config.Settings) error {
	s, err := c.newInstance(settings)
	if err != nil {
		return err
	}
	if err := s.start(ctx); err != nil {
		return err
	}
	_, _ = fmt.Fprint(c.out, s.banner(c.style(c.out), false))
	err = c.deploySample(ctx, s)
	if ctx.Err() == nil {
		c.report(err) // the server stays all the same, so that one can look what went wrong
		_, _ = fmt.Fprint(c.out, c.next(s))
		err = nil
		<-ctx.Done()
	} else if errors.Is(err, context.Canceled) {
		err = nil // Ctrl-C is how a demonstration that stays is meant to end
	}
	return errors.Join(err, s.stop(c.hard))
}

// deploySample creates the environment, or watches the one that is there already.
func (c *cli) deploySample(ctx context.Context, s *instance) error {
	data := event.Create{
		Templates: []string{sample}, Description: "What make run and make demo deploy", Tags: []string{"demo"},
	}
	err := c.demoOrder(ctx, s, event.EnvironmentCreate, data, environment.Deployed)
	if !fault.Is(err, fault.Exists) && !fault.Is(err, fault.Busy) {
		return err
	}
	_, _ = fmt.Fprintf(c.out, "The environment %s is there already.\n\n", sample)
	record, err := c.watch(ctx, s.client(), sample, "", c.out)
	if err != nil {
		return err
	}
	return c.ended(order{want: environment.Deployed}, record)
}

// demoOrder publishes a command over a connection of its own, and shows what comes of it.
func (c *cli) demoOrder(ctx context.Context, s *instance, command string, data any, want environment.Status) error {
	body, err := json.Marshal(data)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(c.out, "Publishing %s for %s.\n\n", command, sample)
	o := order{command: command, environment: sample, data: body, want: want}
	answer, err := c.on(s.busURL).send(ctx, o)
	if err != nil {
		return refusal{err}
	}
	record, err := c.waitFor(ctx, s.client(), o, answer.Operation, c.out)
	if err != nil {
		return err
	}
	err = c.ended(o, record)
	_, _ = fmt.Fprintln(c.out)
	return err
}

// refusal is the error of a command that was not taken.
type refusal struct{ error }

func (r refusal) Unwrap() error { return r.error }

func (s *instance) client() *client.API { return client.NewAPI(s.apiURL(), trusting(s.apiRoots)) }

// next is what to type next.
func (c *cli) next(s *instance) string {
	command := func(text string) string { return "  " + c.program + " " + text + s.dataDirFlag() + "\n" }
	return "\nWhat next, in another terminal:\n" +
		command("env show "+sample) +
		command("env logs "+sample) +
		command("env graph "+sample+" -o mermaid") +
		"  curl " + s.apiURL() + "/api/v1/environments/" + sample + "\n" +
		command("env destroy "+sample+" --wait") +
		"\nCtrl-C stops the server; the environment stays, and `make run` finds it again.\n\n"
}
