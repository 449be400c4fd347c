package main

import (
	"github.com/spf13/cobra"
)

func newRoot(c *cli) *cobra.Command {
	root := &cobra.Command{
		Use:   "vivarium",
		Short: "Raises, keeps and tears down whole environments",
		Long: "Vivarium raises, keeps and tears down whole environments.\n\n" +
			"A command on a message bus becomes a graph of resources; runners carry it out with OpenTofu or Terraform\n" +
			"and with commands of your own; every step is an event back on the bus.",
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE:          groupOnly,
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(
		newServer(c), newRunner(c), newRunnerList(c, "runners"), newEnvironment(c), newTemplate(c), newGraph(c), newSearch(c), newStore(c), newCluster(c), newDemo(c), newSupervise(), newBootstrap(c), newImage(c), newVersion(c),
	)
	root.CompletionOptions.HiddenDefaultCmd = false
	arguments(root)
	return root
}

// groupOnly is a command that has nothing to do by itself: it prints its help, and names a sub-command that it does
// not know.
func groupOnly(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return usage("there is no command %q below %q; did you mean %q?", args[0], cmd.CommandPath(), near[0])
	}
	return usage("there is no command %q below %q", args[0], cmd.CommandPath())
}

// arguments makes the errors of all commands' argument checks usage errors.
func arguments(cmd *cobra.Command) {
	check := cmd.Args
	if check == nil {
		check = cobra.NoArgs
		if cmd.HasSubCommands() {
			check = cobra.ArbitraryArgs // groupOnly answers
			cmd.SuggestionsMinimumDistance = 2
		}
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usageError{err}
		}
		return nil
	}
	for _, sub := range cmd.Commands() {
		arguments(sub)
	}
}
