package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/history"
)

func newEnvironmentRevisions(x *connection) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "revisions NAME",
		Short: "List what an environment was to be: after its create, and after each update, rollback and promotion",
		Long: "Lists the revisions of an environment, oldest first: the templates and given parameters after its create, and after each\n" +
			"update, rollback and promotion, with what became of it. `vivarium env rollback NAME NUMBER` goes back to one.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := x.api()
			if err != nil {
				return err
			}
			list, err := api.Revisions(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if format == formatJSON {
				return writeJSON(x.c.out, append([]history.Revision{}, list...))
			}
			return table(x.c.out, revisionRows(list))
		},
	}
	outputFlag(cmd, &format, formatTable, formatJSON)
	return cmd
}

func revisionRows(list []history.Revision) [][]string {
	rows := [][]string{{"REVISION", "WHEN", "WHO", "WHAT", "TEMPLATES", "CHANGED", "OUTCOME"}}
	for i, r := range list {
		changed := changedText(r.Changed)
		if i == 0 {
			changed = givenText(r)
		}
		rows = append(rows, []string{strconv.Itoa(r.Number), moment(r.At), r.RequestedBy, kindText(r), commitsText(r.Templates), changed, string(r.Outcome)})
	}
	return rows
}

func kindText(r history.Revision) string {
	switch o := r.Origin; {
	case o == nil:
		return string(r.Kind)
	case o.Environment == "":
		return fmt.Sprintf("rollback to %d", o.Revision)
	default:
		return fmt.Sprintf("%s of %s, revision %d", r.Kind, o.Environment, o.Revision)
	}
}

// commitsText names templates with the beginning of their commits.
func commitsText(all []environment.Template) string {
	var names []string
	for _, t := range all {
		name := t.Name + "@" + t.Version
		if t.Commit != "" {
			name += " (" + clip(t.Commit, shortCommit) + ")"
		}
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}

// shortCommit is how much of a commit's hash people read.
const shortCommit = 9

func givenText(r history.Revision) string {
	var all []environment.ParameterChange
	for name, v := range r.Parameters {
		all = append(all, environment.ParameterChange{Name: name, After: v})
	}
	return changedText(all)
}
