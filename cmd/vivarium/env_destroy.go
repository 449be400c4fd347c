package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
)

func newEnvironmentDestroy(x *connection) *cobra.Command {
	var data event.Destroy
	var yes, queue bool
	var follow followFlags
	cmd := &cobra.Command{
		Use:   "destroy NAME",
		Short: "Destroy an environment and everything in it",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			want, what := environment.Destroyed, fmt.Sprintf("environment %q and everything in it", clean(args[0]))
			if data.Groups != nil {
				want, what = environment.Deployed, fmt.Sprintf("%s of environment %q", clean(strings.Join(data.Groups, ", ")), clean(args[0]))
			}
			if !yes {
				if err := x.c.confirm(args[0], what, x.usedBy(cmd.Context(), args[0])); err != nil {
					return err
				}
			}
			data.WhenBusy = whenBusy(queue)
			text, err := json.Marshal(data)
			if err != nil {
				return err
			}
			return x.order(cmd.Context(), order{
				command: event.EnvironmentDestroy, environment: args[0], data: text, follow: follow, want: want, queue: queue,
			})
		},
	}
	cmd.Flags().BoolVar(&data.Force, "force", false, "go on destroying what a failed destroy depends on, and wait for no other environment and no paused group")
	cmd.Flags().BoolVar(&data.DespiteConsumers, "despite-consumers", false, "destroy it although other environments use what it puts out")
	cmd.Flags().BoolVar(&data.FailFast, "fail-fast", false, "stop what runs at the first failure")
	queueFlag(cmd, &queue)
	cmd.Flags().StringArrayVar(&data.Groups, "group", nil, "destroy this group alone (may be repeated); an update makes it again")
	cmd.Flags().BoolVar(&data.Cascade, "cascade", false, "destroy with the groups what stands on them")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	follow.add(cmd)
	return cmd
}

// confirm asks a person to type the environment's name. A warning is shown before.
func (c *cli) confirm(name, what, warning string) error {
	if !c.terminal(c.in) {
		return usage("there is no terminal to ask on; say --yes to destroy %q", name)
	}
	_, _ = fmt.Fprintf(c.err, "%sThis destroys %s. Type the environment's name to go on: ", warning, what)
	answer, _ := bufio.NewReader(c.in).ReadString('\n')
	if strings.TrimSpace(answer) != name {
		return errors.New("the name does not match; nothing was destroyed")
	}
	return nil
}
