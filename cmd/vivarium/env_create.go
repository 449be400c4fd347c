package main

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
)

// createFlags are what the command line says about an environment to be made.
type createFlags struct{ wantedFlags }

func newEnvironmentCreate(x *connection) *cobra.Command {
	var f createFlags
	cmd := &cobra.Command{
		Use:   "create NAME --template TEMPLATE[@VERSION]...",
		Short: "Create an environment from templates",
		Example: `  vivarium env create notes --template notes --param replicas=2 --wait
  vivarium env create review-17 --template notes@1.0.0 --param-file review.hcl --tag team:notes`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			data, err := f.command(time.Now())
			if err != nil {
				return err
			}
			return x.order(cmd.Context(), order{
				command: event.EnvironmentCreate, environment: args[0], data: data, follow: f.follow, want: environment.Deployed,
			})
		},
	}
	f.add(cmd, "template to make it from, name or name@version (may be repeated)")
	f.addRest(cmd, "tag to find it by (may be repeated)")
	return cmd
}

// command is the data of environment.create.
func (f *createFlags) command(now time.Time) (json.RawMessage, error) {
	if len(f.templates) == 0 {
		return nil, usage("--template is required: the name of a template, as `vivarium template list` shows them")
	}
	params, at, err := f.read(now)
	if err != nil {
		return nil, err
	}
	return json.Marshal(event.Create{
		Templates: f.templates, Parameters: params, Description: f.description, Tags: f.tags, DestroyAt: at, Lifetime: f.lifetime,
		FailFast: f.failFast, Parallelism: f.parallelism,
	})
}

func pointInTime(text string, now time.Time) (time.Time, error) {
	if at, err := time.Parse(time.RFC3339, strings.TrimSpace(text)); err == nil {
		return at, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return time.Time{}, usage("--destroy-at %q: want a time such as 2027-01-31T18:00:00Z, or a duration such as 8h", text)
	}
	return now.Add(d).UTC().Truncate(time.Second), nil
}
