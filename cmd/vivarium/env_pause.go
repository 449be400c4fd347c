package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/vivarium-env/vivarium/pkg/event"
)

func newEnvironmentPause(x *connection) *cobra.Command {
	var data event.Pause
	var format string
	cmd := &cobra.Command{
		Use:   "pause NAME",
		Short: "Start nothing new in an environment; what runs goes on",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return x.tell(cmd.Context(), event.EnvironmentPause, args[0], data, format,
				"%[1]s is paused: what runs goes on, nothing new is started.\nLet it go on with: vivarium env resume %[1]s\n")
		},
	}
	cmd.Flags().StringVar(&data.Reason, "reason", "", "why, for the journal")
	outputFlag(cmd, &format, formatTable, formatJSON)
	return cmd
}

func newEnvironmentResume(x *connection) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "resume NAME",
		Short: "Let a paused environment go on",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return x.tell(cmd.Context(), event.EnvironmentResume, args[0], event.Resume{}, format,
				"%[1]s goes on.\nSee how it goes with: vivarium env watch %[1]s\n")
		},
	}
	outputFlag(cmd, &format, formatTable, formatJSON)
	return cmd
}

// tell sends a command whose answer is all that comes of it; done, with the environment's name, is what a person is
// told then.
func (x *connection) tell(ctx context.Context, command, environment string, data any, format, done string) error {
	text, err := json.Marshal(data)
	if err != nil {
		return err
	}
	answer, err := x.send(ctx, order{command: command, environment: environment, data: text})
	if err != nil {
		return err
	}
	if format == formatJSON {
		return writeJSON(x.c.out, answer)
	}
	_, err = fmt.Fprintf(x.c.out, done, environment)
	return err
}
