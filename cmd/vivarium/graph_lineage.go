package main

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vivarium-env/vivarium/pkg/client"
	"github.com/vivarium-env/vivarium/pkg/history"
	"github.com/vivarium-env/vivarium/pkg/store"
)

func newGraphLineage(x *connection) *cobra.Command {
	cmd := &cobra.Command{Use: "lineage ENVIRONMENT/ADDRESS", Args: cobra.ExactArgs(1),
		Short: "Where a resource comes from: template, commit, parameters, operation, who asked"}
	return question(x, cmd, func(ctx context.Context, api *client.API, args []string) (store.Lineage, error) {
		r := refOf(args[0])
		if r.Address == "" {
			return store.Lineage{}, usage("name a resource as ENVIRONMENT/ADDRESS")
		}
		return api.Lineage(ctx, r)
	}, lineageRows)
}

func lineageRows(l store.Lineage) [][]string {
	rows := [][]string{
		{"Resource", refText(store.Ref{Environment: l.Resource.Environment, Address: l.Resource.Address})},
		{"Status", string(l.Resource.Status)}, {"Template", l.Template.Name + "@" + l.Template.Version},
		{"Hash", l.Template.Hash},
	}
	if l.Template.Commit != "" {
		rows = append(rows, []string{"Commit", l.Template.Commit})
	}
	for _, name := range slices.Sorted(maps.Keys(l.Environment.Parameters)) {
		rows = append(rows, []string{"Parameter", name + " = " + valueText(l.Environment.Parameters[name])})
	}
	if o := l.Operation; o != nil {
		rows = append(rows, []string{"Operation", o.ID + " (" + string(o.Kind) + ", " + string(o.Status) + ")"},
			[]string{"Asked by", o.RequestedBy}, []string{"Command", o.CommandID}, []string{"Started", moment(o.StartedAt)})
	}
	return rows
}

func newGraphMade(x *connection) *cobra.Command {
	var o store.Origin
	cmd := &cobra.Command{Use: "made", Args: cobra.NoArgs, Short: "What came of a template, a commit, an operation or a person",
		Example: "  vivarium graph made --commit 0123456\n  vivarium graph made --requested-by /teams/notes"}
	cmd.Flags().StringVar(&o.Template, "template", "", "name of a template")
	cmd.Flags().StringVar(&o.Version, "version", "", "version of the template")
	cmd.Flags().StringVar(&o.Commit, "commit", "", "commit of the catalogue, or at least seven characters of it")
	cmd.Flags().StringVar(&o.Environment, "environment", "", "only of this environment")
	cmd.Flags().StringVar(&o.Operation, "operation", "", "operation that made it")
	cmd.Flags().StringVar(&o.RequestedBy, "requested-by", "", "who asked for that operation")
	return question(x, cmd, func(ctx context.Context, api *client.API, _ []string) ([]store.Ref, error) {
		if o == (store.Origin{}) {
			return nil, usage("say of what: --template, --commit, --operation, --requested-by or --environment")
		}
		return api.Made(ctx, o)
	}, func(refs []store.Ref) [][]string {
		rows := [][]string{{"ENVIRONMENT", "ADDRESS"}}
		for _, r := range refs {
			rows = append(rows, []string{r.Environment, r.Address})
		}
		return rows
	})
}

func newTemplateUsage(x *connection) *cobra.Command {
	var commit string
	cmd := &cobra.Command{Use: "usage NAME[@VERSION]", Args: cobra.ExactArgs(1), Short: "Environments that are made from a template"}
	cmd.Flags().StringVar(&commit, "commit", "", "only of this commit, or at least seven characters of it")
	return question(x, cmd, func(ctx context.Context, api *client.API, args []string) ([]store.Use, error) {
		name, version, _ := strings.Cut(args[0], "@")
		return api.TemplateUsage(ctx, name, version, commit)
	}, func(uses []store.Use) [][]string {
		rows := [][]string{{"ENVIRONMENT", "STATUS", "VERSION", "COMMIT", "HASH"}}
		for _, u := range uses {
			rows = append(rows, []string{u.Environment, string(u.Status), u.Template.Version, u.Template.Commit, shorten(u.Template.Hash, 12)})
		}
		return rows
	})
}

func shorten(text string, most int) string { return text[:min(len(text), most)] }

func newEnvironmentAt(x *connection) *cobra.Command {
	var when string
	var seq uint64
	cmd := &cobra.Command{Use: "at NAME", Args: cobra.ExactArgs(1), Short: "An environment as it stood at an earlier time",
		Example: "  vivarium env at notes --time 2026-03-01T12:00:00Z\n  vivarium env at notes --time 15m"}
	cmd.Flags().StringVar(&when, "time", "", "a time in RFC 3339, or how long ago, such as 15m")
	cmd.Flags().Uint64Var(&seq, "seq", 0, "the journal's sequence number")
	return question(x, cmd, func(ctx context.Context, api *client.API, args []string) (history.View, error) {
		m := history.Moment{Seq: seq}
		if when != "" {
			var err error
			if m.Time, err = momentOf(when, time.Now()); err != nil {
				return history.View{}, err
			}
		}
		return api.EnvironmentAt(ctx, args[0], m)
	}, viewRows)
}

// momentOf is a time, or a time ago.
func momentOf(text string, now time.Time) (time.Time, error) {
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, usage("--time has to be a time in RFC 3339, or how long ago, such as 15m")
	}
	return at, nil
}

func viewRows(v history.View) [][]string {
	rows := [][]string{{v.Environment.Name + ", " + string(v.Environment.Status) + ", at entry " + uintText(v.Seq) + " of " + moment(v.Time)},
		{""}, {"ADDRESS", "STATUS", "STEP", "ATTEMPT"}}
	for _, r := range v.Resources {
		rows = append(rows, []string{r.Address, string(r.Status), string(r.Step.State), uintText(uint64(max(r.Step.Attempt, 0)))})
	}
	return rows
}
