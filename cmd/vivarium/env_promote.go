package main

import (
	"encoding/json"
	"time"

	"github.com/spf13/cobra"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
)

// sourceFlags say which environment is taken from, and with which parameters over it.
type sourceFlags struct {
	contentFlags
	from     string
	revision int
}

func (f *sourceFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.from, "from", "", "the other environment")
	flags.IntVar(&f.revision, "revision", 0, "revision of the other environment (default: its last)")
	flags.StringArrayVar(&f.params, "param", nil, "parameter over those of the other, as name=value; JSON where it is JSON, else text (may be repeated)")
	flags.StringArrayVar(&f.files, "param-file", nil, "file of parameters in HCL, or JSON when it ends in .json (may be repeated)")
	flags.StringArrayVar(&f.unset, "unset", nil, "parameter that has its default (may be repeated)")
}

func (f *sourceFlags) read() (map[string]json.RawMessage, error) {
	switch {
	case f.from == "":
		return nil, usage("--from is required: the environment that templates and parameters are taken from")
	case f.revision < 0:
		return nil, usage("--revision can't be negative")
	}
	return f.parameters()
}

func newEnvironmentPromote(x *connection) *cobra.Command {
	var source sourceFlags
	var f plannedFlags
	var keep []string
	cmd := &cobra.Command{
		Use:   "promote NAME --from OTHER [--keep PARAMETER...]",
		Short: "Bring an environment to the templates and parameters of another one, after a plan",
		Long: "Brings an environment to the templates, as they are there, and the given parameters of another one. What is an\n" +
			"environment's own is named with --keep, and is remembered for the next promotion. Shows what would change and asks.",
		Example: `  vivarium env promote notes --from notes-staging --keep replicas --keep token
  vivarium env promote notes --from notes-staging --yes --wait`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			params, err := source.read()
			if err != nil {
				return err
			}
			p := event.Promote{From: source.from, Revision: source.revision, Parameters: params, FailFast: f.failFast, Parallelism: f.parallelism}
			if cmd.Flags().Changed("keep") {
				p.Keep = keepList(keep)
			}
			data, err := json.Marshal(p)
			if err != nil {
				return err
			}
			return x.planned(cmd.Context(), f, event.Proposal{From: p.From, Revision: p.Revision, Parameters: params, Keep: p.Keep},
				order{command: event.EnvironmentPromote, environment: args[0], data: data, follow: f.follow, want: environment.Deployed})
		},
	}
	source.add(cmd)
	cmd.Flags().StringArrayVar(&keep, "keep", nil, "parameter that stays as it is (may be repeated; default: as last time; --keep= keeps none)")
	f.add(cmd)
	return cmd
}

// keepList is empty, but not nil, when all that is kept is nothing.
func keepList(names []string) []string {
	list := []string{}
	for _, name := range names {
		if name != "" {
			list = append(list, name)
		}
	}
	return list
}

func newEnvironmentClone(x *connection) *cobra.Command {
	var source sourceFlags
	var f plannedFlags
	var tags []string
	var description, destroyAt string
	cmd := &cobra.Command{
		Use:   "clone NAME --from OTHER",
		Short: "Make an environment like another one, after a plan",
		Long: "Makes an environment of the templates, as they are there, and the given parameters of another one, secrets included, with\n" +
			"changes. The other one may have been destroyed since. Shows what would be made and asks.",
		Example: `  vivarium env clone notes-debug --from notes --param replicas=1 --destroy-at 8h
  vivarium env clone notes-debug --from notes --revision 3 --yes --wait`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			params, err := source.read()
			if err != nil {
				return err
			}
			n := event.Clone{From: source.from, Revision: source.revision, Parameters: params, Description: description, Tags: tags,
				FailFast: f.failFast, Parallelism: f.parallelism}
			if destroyAt != "" {
				at, err := pointInTime(destroyAt, time.Now())
				if err != nil {
					return err
				}
				n.DestroyAt = &at
			}
			data, err := json.Marshal(n)
			if err != nil {
				return err
			}
			return x.planned(cmd.Context(), f, event.Proposal{From: n.From, Revision: n.Revision, Parameters: params},
				order{command: event.EnvironmentClone, environment: args[0], data: data, follow: f.follow, want: environment.Deployed})
		},
	}
	source.add(cmd)
	flags := cmd.Flags()
	flags.StringVar(&description, "description", "", "what it is for")
	flags.StringArrayVar(&tags, "tag", nil, "tag to find it by (may be repeated)")
	flags.StringVar(&destroyAt, "destroy-at", "", "when it is destroyed by itself: 2027-01-31T18:00:00Z, or a duration from now such as 8h")
	f.add(cmd)
	return cmd
}
