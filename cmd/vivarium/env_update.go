package main

import (
	"encoding/json"
	"time"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/spf13/cobra"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
)

// updateFlags are what the command line says about an environment to be changed.
type updateFlags struct {
	templates, params, files, unset, tags []string
	description, destroyAt                string
	failFast, heal                        bool
	parallelism                           int
	follow                                followFlags
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
				command: event.EnvironmentUpdate, environment: args[0], data: data, follow: f.follow, want: environment.Deployed,
			})
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&f.templates, "template", nil, "all templates it is to be made of, name or name@version (may be repeated; default: as they are)")
	flags.StringArrayVar(&f.params, "param", nil, "parameter as name=value; JSON where it is JSON, else text (may be repeated)")
	flags.StringArrayVar(&f.files, "param-file", nil, "file of parameters in HCL, or JSON when it ends in .json (may be repeated)")
	flags.StringArrayVar(&f.unset, "unset", nil, "parameter that goes back to its default (may be repeated)")
	flags.StringVar(&f.description, "description", "", "what it is for")
	flags.StringArrayVar(&f.tags, "tag", nil, "all tags it is to have (may be repeated)")
	flags.StringVar(&f.destroyAt, "destroy-at", "", "when it is destroyed by itself: 2027-01-31T18:00:00Z, or a duration from now such as 8h")
	flags.BoolVar(&f.heal, "heal", false, "apply again, besides, what the last check found gone or other than it was left")
	flags.BoolVar(&f.failFast, "fail-fast", false, "stop what runs at the first failure, instead of letting it finish")
	flags.IntVar(&f.parallelism, "parallelism", 0, "how many steps run at once (default: the server's limit)")
	f.follow.add(cmd)
	return cmd
}

// command is the data of environment.update.
func (f updateFlags) command(described bool, now time.Time) (json.RawMessage, error) {
	if f.parallelism < 0 {
		return nil, usage("--parallelism can't be negative")
	}
	params, err := f.parameters()
	if err != nil {
		return nil, err
	}
	u := event.Update{Templates: f.templates, Parameters: params, Tags: f.tags, Heal: f.heal, FailFast: f.failFast, Parallelism: f.parallelism}
	if described {
		u.Description = &f.description
	}
	if f.destroyAt != "" {
		at, err := pointInTime(f.destroyAt, now)
		if err != nil {
			return nil, err
		}
		u.DestroyAt = &at
	}
	return json.Marshal(u)
}

// parameters are those that are given, and null for those that are to go back to their defaults.
func (f updateFlags) parameters() (map[string]json.RawMessage, error) {
	params, err := parameters(f.files, f.params)
	if err != nil {
		return nil, err
	}
	for _, name := range f.unset {
		if _, set := params[name]; set || !hclsyntax.ValidIdentifier(name) {
			return nil, usage("--unset %q: want the name of a parameter that is not given besides", name)
		}
		params[name] = json.RawMessage("null")
	}
	return params, nil
}
