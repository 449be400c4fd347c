package main

import (
	"encoding/json"

	"github.com/spf13/cobra"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
)

func newEnvironmentRetry(x *connection) *cobra.Command {
	var data event.Retry
	var follow followFlags
	cmd := &cobra.Command{
		Use:   "retry NAME",
		Short: "Try again what failed in an environment, and what depends on it",
		Long: "Tries again what failed, and what was left out because of it. What is deployed stays as it is.\n" +
			"Where destroying has failed, destroying is tried again.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := json.Marshal(data)
			if err != nil {
				return err
			}
			o := order{command: event.EnvironmentRetry, environment: args[0], data: text, follow: follow, want: environment.Deployed}
			if follow.wait {
				api, err := x.api()
				if err != nil {
					return err
				}
				record, err := api.Environment(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				o.want = afterRetry(record.Status)
			}
			return x.order(cmd.Context(), o)
		},
	}
	cmd.Flags().StringArrayVar(&data.Groups, "group", nil, "try again only what failed of this group, and what depends on it (may be repeated)")
	cmd.Flags().BoolVar(&data.FailFast, "fail-fast", false, "stop what runs at the first failure")
	follow.add(cmd)
	return cmd
}

// afterRetry is what a retry leads to when it succeeds, from the status before.
func afterRetry(before environment.Status) environment.Status {
	if before == environment.DestroyFailed {
		return environment.Destroyed
	}
	return environment.Deployed
}
