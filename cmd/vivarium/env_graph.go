package main

import (
	"github.com/spf13/cobra"
)

func newEnvironmentGraph(x *connection) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:     "graph NAME",
		Short:   "Print what an environment is made of, and what depends on what",
		Example: "  vivarium env graph notes -o svg > notes.svg",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := x.api()
			if err != nil {
				return err
			}
			text, err := api.Graph(cmd.Context(), args[0], format)
			if err != nil {
				return err
			}
			_, err = x.c.out.Write(text)
			return err
		},
	}
	outputFlag(cmd, &format, formatJSON, formatDOT, formatMermaid, formatSVG)
	return cmd
}
