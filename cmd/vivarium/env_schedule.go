package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/vivarium-env/vivarium/pkg/event"
)

func newEnvironmentSchedule(x *connection) *cobra.Command {
	var destroyAt, format string
	var keep bool
	cmd := &cobra.Command{
		Use:   "schedule NAME --destroy-at TIME | --keep",
		Short: "Say when an environment is destroyed by itself",
		Example: `  vivarium env schedule review-17 --destroy-at 24h
  vivarium env schedule review-17 --keep`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if keep == (destroyAt != "") {
				return usage("want one of --destroy-at and --keep")
			}
			data, done := event.Schedule{}, "%s is not destroyed by itself.\n"
			if destroyAt != "" {
				at, err := pointInTime(destroyAt, time.Now())
				if err != nil {
					return err
				}
				data.DestroyAt, done = &at, "%s is destroyed by itself at "+at.Local().Format(time.RFC1123)+".\n"
			}
			return x.tell(cmd.Context(), event.EnvironmentSchedule, args[0], data, format, done)
		},
	}
	cmd.Flags().StringVar(&destroyAt, "destroy-at", "", "2027-01-31T18:00:00Z, or a duration from now such as 8h")
	cmd.Flags().BoolVar(&keep, "keep", false, "do not destroy it by itself")
	outputFlag(cmd, &format, formatTable, formatJSON)
	return cmd
}
