package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/vivarium-env/vivarium/pkg/executor/container/process/supervisor"
)

// superviseWord is the command that the process target starts for each replica.
const superviseWord = "supervise"

// newSupervise is not for people: what it is to run comes by its input, since there are secrets in it.
func newSupervise() *cobra.Command {
	return &cobra.Command{
		Use:    superviseWord + " FOLDER",
		Short:  "Keep one program running, for a container that is a process",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE:   func(_ *cobra.Command, args []string) error { return supervisor.Main(args[0], os.Stdin) },
	}
}
