package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/vivarium-env/vivarium/pkg/client"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
)

// answerTimeout bounds the wait for the answer to a command.
const answerTimeout = 30 * time.Second

// followFlags are what all commands that change something have in common.
type followFlags struct {
	wait    bool
	timeout time.Duration
	format  string
}

func (f *followFlags) add(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.wait, "wait", false, "show progress until it is over, and fail when it does not succeed")
	cmd.Flags().DurationVar(&f.timeout, "timeout", 0, "how long --wait waits (default: as long as it takes)")
	outputFlag(cmd, &f.format, formatTable, formatJSON)
}

// limit is a context that ends with --timeout, where one is given.
func (f followFlags) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	if f.timeout > 0 {
		return context.WithTimeout(ctx, f.timeout)
	}
	return ctx, func() {}
}

// order is one command to be published.
type order struct {
	command, environment string
	data                 json.RawMessage
	follow               followFlags
	want                 environment.Status // what --wait calls success; empty: that it is over
	queue                bool               // it may have to wait until it begins
}

// order publishes a command, waits for the answer and, if asked, for what comes of it.
func (x *connection) order(ctx context.Context, o order) error {
	var api *client.API
	if o.follow.wait {
		var err error // found before anything is changed
		if api, err = x.api(); err != nil {
			return err
		}
	}
	from, err := queuedAfter(ctx, api, o)
	if err != nil {
		return err
	}
	answer, err := x.send(ctx, o)
	if err != nil {
		return err
	}
	if !o.follow.wait {
		return x.c.answered(o, answer)
	}
	api = api.Patient(upTime) // an update may be of what that very server stands on
	progress := x.c.out
	if o.follow.format == formatJSON {
		progress = x.c.err
	}
	if answer.Queued {
		if answer.Operation, err = x.c.begun(ctx, api, o, answer.CommandID, from, progress); err != nil {
			return err
		}
	}
	record, err := x.c.waitFor(ctx, api, o, answer.Operation, progress)
	if err != nil {
		return err
	}
	if o.command == event.EnvironmentUpdate || o.command == event.EnvironmentDestroy || o.command == event.EnvironmentRetry || o.command == event.EnvironmentRedeploy || o.command == event.EnvironmentApply {
		following, err := next(ctx, api, o.environment, answer.Operation)
		if err != nil {
			return err
		}
		if following != "" {
			if record, err = x.c.waitFor(ctx, api, o, following, progress); err != nil {
				return err
			}
		}
	}
	if err := x.c.ended(o, record); err != nil || o.command != event.EnvironmentRun {
		return err
	}
	return ran(ctx, api, o, "action", answer.Operation)
}

// ran says how an operation went of which the environment's status tells nothing.
func ran(ctx context.Context, api *client.API, o order, what, operation string) error {
	operations, err := api.Operations(ctx, o.environment)
	if err != nil {
		return err
	}
	for _, op := range operations {
		if op.ID == operation && op.Status != environment.OperationSucceeded {
			if op.Error != nil {
				return fmt.Errorf("the %s %s: %s; `vivarium env logs %s` says more", what, op.Status, op.Error.Message, o.environment)
			}
			return fmt.Errorf("the %s %s", what, op.Status)
		}
	}
	return nil
}

func (x *connection) send(ctx context.Context, o order) (event.Answer, error) {
	publisher, done, err := x.publisher(ctx)
	if err != nil {
		return event.Answer{}, err
	}
	defer done()
	return send(ctx, publisher, o)
}

// send turns a rejection into the error that it carries.
func send(ctx context.Context, publisher *client.Commands, o order) (event.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	answer, err := publisher.Send(ctx, o.command, o.environment, o.data, client.SendOptions{})
	if err != nil {
		return answer, err
	}
	if !answer.Accepted {
		if answer.Error == nil {
			return answer, errors.New("the command was rejected")
		}
		return answer, answer.Error
	}
	return answer, nil
}

func (c *cli) answered(o order, answer event.Answer) error {
	if o.follow.format == formatJSON {
		return writeJSON(c.out, answer)
	}
	if answer.Queued {
		_, err := fmt.Fprintf(c.out, "%s of %s: queued, it begins when what is under way has ended\nDrop it with: vivarium env cancel %s --queued\n", o.command, o.environment, o.environment)
		return err
	}
	_, err := fmt.Fprintf(c.out, "%s of %s: accepted, operation %s\nSee how it goes with: vivarium env watch %s\n",
		o.command, o.environment, answer.Operation, o.environment)
	return err
}

func (c *cli) waitFor(ctx context.Context, api *client.API, o order, operation string, progress io.Writer) (environment.Record, error) {
	ctx, cancel := o.follow.limit(ctx)
	defer cancel()
	record, err := c.watch(ctx, api, o.environment, operation, progress)
	if errors.Is(err, context.DeadlineExceeded) {
		return record, fmt.Errorf("%s is not over after %s; it goes on, see `vivarium env watch %s`", o.environment, o.follow.timeout, o.environment)
	}
	return record, err
}

// ended prints the outcome; the exit code says whether it is what was wanted.
func (c *cli) ended(o order, r environment.Record) error {
	if o.follow.format == formatJSON {
		if err := writeJSON(c.out, r); err != nil {
			return err
		}
	} else if err := c.outcome(c.out, r); err != nil {
		return err
	}
	if o.want != "" && r.Status != o.want {
		return outcomeError(r)
	}
	return nil
}
