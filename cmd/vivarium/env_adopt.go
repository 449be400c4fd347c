package main

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
)

func newEnvironmentAdopt(x *connection) *cobra.Command {
	var content contentFlags
	var f plannedFlags
	var resources, tags []string
	var description, destroyAt string
	var force bool
	cmd := &cobra.Command{
		Use:   "adopt NAME --resource ADDRESS[=ID]... [--template TEMPLATE[@VERSION]...] [--param NAME=VALUE...]",
		Short: "Take existing infrastructure into an environment, after a plan that shows no change",
		Long: "Takes resources that exist already into an environment, which is made, or updated, by the way. What the templates say of\n" +
			"them has to be what is there: else it is refused, and nothing is changed, unless --force has the differences applied.\n" +
			"Shows what would change and asks. An ID is a JSON object of ids by addresses within the module for terraform, and the\n" +
			"name or id of a running container on Docker for container; consul_kv and vault_secret need\n" +
			"none. ID null gives up an adoption that was refused.",
		Example: `  vivarium env adopt notes --template notes --resource notes.consul_kv.settings
  vivarium env adopt notes --template notes --resource 'notes.terraform.network={"docker_network.main": "3f1c..."}'
  vivarium env adopt notes --template notes --resource notes.container.api=web-1`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			params, err := content.parameters()
			if err != nil {
				return err
			}
			ids, err := adoptions(resources)
			if err != nil {
				return err
			}
			a := event.Adopt{Resources: ids, Force: force, Templates: content.templates, Parameters: params, Tags: tags,
				FailFast: f.failFast, Parallelism: f.parallelism}
			if cmd.Flags().Changed("description") {
				a.Description = &description
			}
			if destroyAt != "" {
				at, err := pointInTime(destroyAt, time.Now())
				if err != nil {
					return err
				}
				a.DestroyAt = &at
			}
			data, err := json.Marshal(a)
			if err != nil {
				return err
			}
			return x.planned(cmd.Context(), f, event.Proposal{Templates: a.Templates, Parameters: params, Adopt: ids},
				order{command: event.EnvironmentAdopt, environment: args[0], data: data, follow: f.follow, want: environment.Deployed})
		},
	}
	content.addChange(cmd)
	flags := cmd.Flags()
	flags.StringArrayVar(&resources, "resource", nil, "address of a resource to take over, and what it is found by (may be repeated)")
	flags.BoolVar(&force, "force", false, "apply what differs, after it was taken over")
	flags.StringVar(&description, "description", "", "what it is for")
	flags.StringArrayVar(&tags, "tag", nil, "tag to find it by (may be repeated)")
	flags.StringVar(&destroyAt, "destroy-at", "", "when it is destroyed by itself: 2027-01-31T18:00:00Z, or a duration from now such as 8h")
	f.add(cmd)
	return cmd
}

// adoptions reads ADDRESS=ID, where an address may have an equals sign in its key; without an id the block says it all.
func adoptions(list []string) (map[string]json.RawMessage, error) {
	if len(list) == 0 {
		return nil, usage("--resource is required: the address of a resource, and what it is found by")
	}
	all := map[string]json.RawMessage{}
	for _, text := range list {
		name, rest, _ := strings.Cut(text, "[")
		address, id, given := strings.Cut(name, "=")
		if rest != "" && !given { // the key in brackets may hold anything
			end := strings.LastIndex(rest, "]=")
			if key := strings.TrimSuffix(rest, "]"); end < 0 {
				address = name + "[" + key + "]"
			} else {
				address, id, given = name+"["+rest[:end]+"]", rest[end+2:], true
			}
		} else if given {
			_, id, _ = strings.Cut(text, "=")
		}
		if address == "" {
			return nil, usage("--resource %q: write it as ADDRESS or ADDRESS=ID", text)
		}
		all[address] = json.RawMessage("true")
		if given {
			all[address] = literal(id)
		}
	}
	return all, nil
}
