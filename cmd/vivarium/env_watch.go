package main

import (
	"github.com/spf13/cobra"

	"github.com/vivarium-env/vivarium/pkg/environment"
)

func newEnvironmentWatch(x *connection) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "watch NAME",
		Short: "Show what is under way in an environment until it is over",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := x.api()
			if err != nil {
				return err
			}
			progress := x.c.out
			if format == formatJSON {
				progress = x.c.err
			}
			record, err := x.c.watch(cmd.Context(), api, args[0], "", progress)
			if err != nil {
				return err
			}
			want := environment.Deployed
			if record.Status == environment.Destroyed {
				want = environment.Destroyed // that was what was under way
			}
			return x.c.ended(order{follow: followFlags{format: format}, want: want}, record)
		},
	}
	outputFlag(cmd, &format, formatTable, formatJSON)
	return cmd
}
