package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vivarium-env/vivarium/pkg/event"
)

func newEnvironmentPause(x *connection) *cobra.Command {
	var data event.Pause
	var format string
	cmd := &cobra.Command{
		Use:   "pause NAME",
		Short: "Start nothing new in an environment; what runs goes on",
		Long: "Starts nothing new in the operation that is under way; what runs goes on.\n" +
			"With --group, nothing new of this group, in this operation and in all that follow, until it is resumed.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			of := ofGroups(data.Groups)
			return x.tell(cmd.Context(), event.EnvironmentPause, args[0], data, format,
				of.of+"%[1]s is paused: what runs goes on, nothing new is started.\nLet it go on with: vivarium env resume %[1]s"+of.flags+"\n")
		},
	}
	cmd.Flags().StringVar(&data.Reason, "reason", "", "why, for the journal and for who asks why a step waits")
	cmd.Flags().StringArrayVar(&data.Groups, "group", nil, "pause this group alone (may be repeated)")
	outputFlag(cmd, &format, formatTable, formatJSON)
	return cmd
}

func newEnvironmentResume(x *connection) *cobra.Command {
	var data event.Resume
	var format string
	cmd := &cobra.Command{
		Use:   "resume NAME",
		Short: "Let a paused environment, or a paused group of it, go on",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return x.tell(cmd.Context(), event.EnvironmentResume, args[0], data, format,
				ofGroups(data.Groups).of+"%[1]s goes on.\nSee how it goes with: vivarium env watch %[1]s\n")
		},
	}
	cmd.Flags().StringArrayVar(&data.Groups, "group", nil, "let this group go on (may be repeated)")
	outputFlag(cmd, &format, formatTable, formatJSON)
	return cmd
}

// groupText are groups in words and as flags; both are formats.
type groupText struct{ of, flags string }

func ofGroups(groups []string) (t groupText) {
	for _, g := range groups {
		t.flags += " --group " + g
	}
	if len(groups) > 0 {
		t.of = clean(strings.Join(groups, ", ")) + " of "
	}
	return groupText{strings.ReplaceAll(t.of, "%", "%%"), strings.ReplaceAll(clean(t.flags), "%", "%%")}
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
