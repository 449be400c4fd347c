package main

import (
	"encoding/json"
	"time"

	"github.com/spf13/cobra"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
)

// updateFlags are what the command line says about an environment to be changed.
type updateFlags struct {
	wantedFlags
	heal, despite, queue bool
}

func newEnvironmentUpdate(x *connection) *cobra.Command {
	var f updateFlags
	cmd := &cobra.Command{
		Use:   "update NAME [--template TEMPLATE[@VERSION]...] [--param NAME=VALUE...]",
		Short: "Bring an environment to other templates or parameters",
		Long: "Brings an environment to other templates or parameters. What is left out stays as it is. Only what changes is\n" +
			"applied, and what depends on it if that changes too; what the templates do not have any more is destroyed.",
		Example: `  vivarium env update notes --param replicas=3 --wait
  vivarium env update notes --template notes@1.3.0 --unset zones`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			data, err := f.command(cmd.Flags().Changed("description"), time.Now())
			if err != nil {
				return err
			}
			return x.order(cmd.Context(), order{
				command: event.EnvironmentUpdate, environment: args[0], data: data, follow: f.follow, want: environment.Deployed, queue: f.queue,
			})
		},
	}
	f.addChange(cmd)
	cmd.Flags().BoolVar(&f.heal, "heal", false, "apply again, besides, what the last check found gone or other than it was left")
	cmd.Flags().BoolVar(&f.despite, "despite-consumers", false, "take away outputs although other environments use them")
	queueFlag(cmd, &f.queue)
	f.addRest(cmd, "all tags it is to have (may be repeated)")
	return cmd
}

// command is the data of environment.update.
func (f *updateFlags) command(described bool, now time.Time) (json.RawMessage, error) {
	params, at, err := f.read(now)
	if err != nil {
		return nil, err
	}
	u := event.Update{Templates: f.templates, Parameters: params, Tags: f.tags, DestroyAt: at, Lifetime: f.lifetime, Heal: f.heal, DespiteConsumers: f.despite, FailFast: f.failFast, Parallelism: f.parallelism, WhenBusy: whenBusy(f.queue)}
	if described {
		u.Description = &f.description
	}
	return json.Marshal(u)
}
