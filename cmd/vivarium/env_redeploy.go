package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
)

func newEnvironmentRedeploy(x *connection) *cobra.Command {
	var data event.Redeploy
	var follow followFlags
	cmd := &cobra.Command{
		Use:   "redeploy NAME --group GROUP",
		Short: "Apply a group of an environment again, although nothing about it has changed",
		Long: "Applies all resources of a group again, although nothing about them has changed. What depends on it is applied\n" +
			"only where the group puts out something else than before.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(data.Groups) == 0 {
				return usage("say which group is to be applied again: --group GROUP")
			}
			text, err := json.Marshal(data)
			if err != nil {
				return err
			}
			return x.order(cmd.Context(), order{command: event.EnvironmentRedeploy, environment: args[0], data: text, follow: follow, want: environment.Deployed})
		},
	}
	cmd.Flags().StringArrayVar(&data.Groups, "group", nil, "the group that is applied again (may be repeated)")
	cmd.Flags().BoolVar(&data.FailFast, "fail-fast", false, "stop what runs at the first failure")
	cmd.Flags().IntVar(&data.Parallelism, "parallelism", 0, "how many steps run at once, 0 for the server's limit")
	follow.add(cmd)
	return cmd
}

// pausedText is a pause of a group in words.
func pausedText(p environment.Pause) string {
	text := p.Group
	if p.By != "" {
		text += " by " + p.By
	}
	if p.Reason != "" {
		text += " because " + p.Reason
	}
	return text
}

// groupsText goes before what was done with groups alone.
func groupsText(groups []string) string {
	switch len(groups) {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf("group %s: ", groups[0])
	}
	return fmt.Sprintf("groups %s: ", strings.Join(groups, ", "))
}
