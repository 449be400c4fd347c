package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/vivarium-env/vivarium/pkg/client"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/store"
)

func queueFlag(cmd *cobra.Command, queue *bool) {
	cmd.Flags().BoolVar(queue, "queue", false, "while something is under way, let it wait for that instead of being refused")
}

func whenBusy(queue bool) string {
	if queue {
		return event.QueueWhenBusy
	}
	return ""
}

// queuedAfter is the journal's place behind which a command that is about to be sent is found; 0 where that is of no use.
func queuedAfter(ctx context.Context, api *client.API, o order) (uint64, error) {
	if !o.queue || !o.follow.wait {
		return 0, nil
	}
	record, err := api.Environment(ctx, o.environment)
	return record.Revision, err
}

// begun waits until a command that is queued begins, and returns its operation.
func (c *cli) begun(ctx context.Context, api *client.API, o order, command string, after uint64, progress io.Writer) (operation string, err error) {
	ctx, cancel := o.follow.limit(ctx)
	defer cancel()
	_, _ = fmt.Fprintf(progress, "%s of %s waits until what is under way has ended\n", o.command, o.environment)
	err = api.FollowJournal(ctx, o.environment, after, func(e store.Entry) error {
		if e.Causation != command {
			return nil
		}
		if e.Type == (environment.CommandRejected{}).Type() {
			var r environment.CommandRejected
			if err := json.Unmarshal(e.Data, &r); err != nil || r.Error == nil {
				return errors.Join(err, errors.New("the command was rejected"))
			}
			return r.Error
		}
		if operation = e.Operation; operation != "" {
			return errOver
		}
		return nil
	})
	switch {
	case errors.Is(err, errOver):
		return operation, nil
	case errors.Is(err, context.DeadlineExceeded):
		return "", fmt.Errorf("%s of %s has not begun after %s; it still waits, see `vivarium env show %s`", o.command, o.environment, o.follow.timeout, o.environment)
	case err == nil:
		err = fmt.Errorf("the journal of %s ended before the command began", o.environment)
	}
	return "", err
}
