package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
)

func newTemplateList(x *connection) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the templates of the server's catalogue",
		RunE: func(cmd *cobra.Command, _ []string) error {
			api, err := x.api()
			if err != nil {
				return err
			}
			templates, err := api.Templates(cmd.Context())
			if err != nil {
				return err
			}
			if format == formatJSON {
				return writeJSON(x.c.out, append([]wire.TemplateSummary{}, templates...))
			}
			rows := [][]string{{"NAME", "NEWEST", "VERSIONS", "TAGS", "DESCRIPTION"}}
			for _, t := range templates {
				rows = append(rows, []string{t.Name, t.Newest, strings.Join(t.Versions, ","), strings.Join(t.Tags, ","), t.Description})
			}
			return table(x.c.out, rows)
		},
	}
	outputFlag(cmd, &format, formatTable, formatJSON)
	return cmd
}
