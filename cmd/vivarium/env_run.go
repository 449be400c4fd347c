package main

import (
	"encoding/json"

	"github.com/spf13/cobra"

	"github.com/vivarium-env/vivarium/pkg/event"
)

func newEnvironmentRun(x *connection) *cobra.Command {
	var follow followFlags
	cmd := &cobra.Command{
		Use:   "run NAME ACTION",
		Short: "Run an action that its template lets run on demand",
		Long: "Runs an action whose run_on has \"demand\" in an environment that is deployed or failed. ACTION is its address, or\n" +
			"its name where no other action has that. The environment is afterwards what it was before; with --wait the exit\n" +
			"code says how the action went.",
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			data, err := json.Marshal(event.Run{Action: args[1]})
			if err != nil {
				return err
			}
			return x.order(cmd.Context(), order{command: event.EnvironmentRun, environment: args[0], data: data, follow: follow})
		},
	}
	follow.add(cmd)
	return cmd
}
