package main

import (
	"encoding/json"
	"time"

	"github.com/spf13/cobra"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
)

// applyFlags are what the command line says about a plan to be carried out.
type applyFlags struct {
	data        event.ApplyPlan
	description string
	destroyAt   string
	follow      followFlags
}

func newEnvironmentApply(x *connection) *cobra.Command {
	var f applyFlags
	cmd := &cobra.Command{
		Use:   "apply NAME PLAN",
		Short: "Carry out exactly what a plan has shown",
		Long: "Carries out the plan that `vivarium env plan` has made: an update, a create or a destroy, and nothing that it has not shown.\n" +
			"PLAN is the id of its operation. It is refused when something else has changed the environment since, when the plan was\n" +
			"carried out already, or when its time is up. Where the plan could not tell yet what would change, the executor is\n" +
			"asked again when all is known.",
		Example: `  vivarium env plan notes --param replicas=3
  vivarium env apply notes op-7 --wait`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			data, err := f.command(args[1], cmd.Flags().Changed("description"), time.Now())
			if err != nil {
				return err
			}
			o := order{command: event.EnvironmentApply, environment: args[0], data: data, follow: f.follow, want: environment.Deployed}
			if f.follow.wait {
				api, err := x.api()
				if err != nil {
					return err
				}
				if plan, err := api.Plan(cmd.Context(), args[0], args[1]); err == nil && plan.Destroy {
					o.want = environment.Destroyed
				}
			}
			return x.order(cmd.Context(), o)
		},
	}
	cmd.Flags().StringVar(&f.description, "description", "", "what the environment is for")
	cmd.Flags().StringArrayVar(&f.data.Tags, "tag", nil, "all tags it is to have (may be repeated)")
	cmd.Flags().StringVar(&f.destroyAt, "destroy-at", "", "when it is destroyed by itself: 2027-01-31T18:00:00Z, or a duration from now such as 8h")
	cmd.Flags().BoolVar(&f.data.FailFast, "fail-fast", false, "stop what runs at the first failure")
	cmd.Flags().IntVar(&f.data.Parallelism, "parallelism", 0, "how many steps run at once (default: the server's limit)")
	f.follow.add(cmd)
	return cmd
}

// command is the data of environment.apply.
func (f *applyFlags) command(plan string, described bool, now time.Time) (json.RawMessage, error) {
	f.data.Plan = plan
	if described {
		f.data.Description = &f.description
	}
	if f.destroyAt != "" {
		at, err := pointInTime(f.destroyAt, now)
		if err != nil {
			return nil, err
		}
		f.data.DestroyAt = &at
	}
	return json.Marshal(f.data)
}
