package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vivarium-env/vivarium/pkg/client"
	"github.com/vivarium-env/vivarium/pkg/environment"
)

func newEnvironmentList(x *connection) *cobra.Command {
	var statuses []string
	var filter client.Filter
	var format string
	var drifted bool
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List environments",
		Example: "  vivarium env list --status deployed --health degraded --sort=-updated_at",
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if filter.Statuses, err = statusesOf(statuses); err != nil {
				return err
			}
			if cmd.Flags().Changed("drifted") {
				filter.Drifted = &drifted
			}
			api, err := x.api()
			if err != nil {
				return err
			}
			records, err := everyEnvironment(cmd.Context(), api, filter)
			if err != nil {
				return err
			}
			if format == formatJSON {
				return writeJSON(x.c.out, append([]environment.Record{}, records...))
			}
			return table(x.c.out, environmentRows(records))
		},
	}
	cmd.Flags().StringSliceVar(&statuses, "status", nil, "only those of this status (may be repeated)")
	cmd.Flags().StringArrayVar(&filter.Tags, "tag", nil, "only those with this tag (may be repeated: all of them)")
	cmd.Flags().StringVar(&filter.Text, "text", "", "only those with these words in name, description or tags")
	cmd.Flags().StringVar(&filter.Template, "template", "", "only those made from this template, name or name@version")
	cmd.Flags().StringSliceVar(&filter.Health, "health", nil, "only those whose health is this: healthy, degraded or unknown (may be repeated)")
	cmd.Flags().BoolVar(&drifted, "drifted", false, "only those that the last check found other than they were left, or with =false the others")
	cmd.Flags().StringVar(&filter.Sort, "sort", "", "name, status, created_at or updated_at; downwards with a minus, as in --sort=-updated_at (default name)")
	outputFlag(cmd, &format, formatTable, formatJSON)
	return cmd
}

// everyEnvironment follows the pages to the end.
func everyEnvironment(ctx context.Context, api *client.API, filter client.Filter) ([]environment.Record, error) {
	var all []environment.Record
	for {
		page, err := api.Environments(ctx, filter)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if filter.Cursor = page.Next; page.Next == "" {
			return all, nil
		}
	}
}

func statusesOf(words []string) ([]environment.Status, error) {
	var list []environment.Status
	for _, w := range words {
		if !slices.Contains(environment.Statuses(), environment.Status(w)) {
			return nil, usage("--status %q: want one of %v", w, environment.Statuses())
		}
		list = append(list, environment.Status(w))
	}
	return list, nil
}

func environmentRows(records []environment.Record) [][]string {
	rows := [][]string{{"NAME", "STATUS", "RESOURCES", "HEALTH", "TEMPLATES", "TAGS", "UPDATED"}}
	for _, r := range records {
		rows = append(rows, []string{
			r.Name, statusText(r), resourceCount(r), healthText(r), templatesText(r.Templates), strings.Join(r.Tags, ","), moment(r.UpdatedAt),
		})
	}
	return rows
}

// healthText is "-" where nothing is watched.
func healthText(r environment.Record) string {
	if r.Health == nil {
		return "-"
	}
	return r.Health.Status
}

// resourceCount is how many are deployed, of all but the actions that wait for their occasion.
func resourceCount(r environment.Record) string {
	all := 0
	for status, n := range r.Resources {
		if status != environment.Idle {
			all += n
		}
	}
	return fmt.Sprintf("%d/%d", r.Resources[environment.Deployed], all)
}

func templatesText(all []environment.Template) string {
	var names []string
	for _, t := range all {
		names = append(names, t.Name+"@"+t.Version)
	}
	return strings.Join(names, ",")
}
