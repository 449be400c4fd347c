package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"
)

func newVersion(c *cli) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version of this program",
		RunE: func(*cobra.Command, []string) error {
			if format == formatJSON {
				return writeJSON(c.out, map[string]string{"version": version, "go": runtime.Version(), "platform": platform()})
			}
			_, err := fmt.Fprintf(c.out, "vivarium %s (%s, %s)\n", version, runtime.Version(), platform())
			return err
		},
	}
	outputFlag(cmd, &format, formatTable, formatJSON)
	return cmd
}

func platform() string { return runtime.GOOS + "/" + runtime.GOARCH }
