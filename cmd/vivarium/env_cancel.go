package main

import (
	"encoding/json"

	"github.com/spf13/cobra"

	"github.com/vivarium-env/vivarium/pkg/event"
)

func newEnvironmentCancel(x *connection) *cobra.Command {
	var data event.Cancel
	var follow followFlags
	cmd := &cobra.Command{
		Use:   "cancel NAME",
		Short: "Cancel what is under way in an environment",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := json.Marshal(data)
			if err != nil {
				return err
			}
			return x.order(cmd.Context(), order{
				command: event.EnvironmentCancel, environment: args[0], data: text, follow: follow,
			})
		},
	}
	cmd.Flags().StringVar(&data.Reason, "reason", "", "why, for the journal")
	cmd.Flags().BoolVar(&data.Queued, "queued", false, "drop the command that waits, instead of what is under way")
	follow.add(cmd)
	return cmd
}
