package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/vivarium-env/vivarium/pkg/client"
	"github.com/vivarium-env/vivarium/pkg/store"
)

func newEnvironmentJournal(x *connection) *cobra.Command {
	var follow bool
	var after uint64
	var format string
	cmd := &cobra.Command{
		Use:   "journal NAME",
		Short: "Print everything that has happened to an environment",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := x.api()
			if err != nil {
				return err
			}
			show := x.c.entryPrinter(format)
			if follow {
				return api.FollowJournal(cmd.Context(), args[0], after, show)
			}
			return everyEntry(cmd.Context(), api, args[0], after, show)
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on until interrupted")
	cmd.Flags().Uint64Var(&after, "after", 0, "only entries with a higher sequence number")
	outputFlag(cmd, &format, formatTable, formatJSON)
	return cmd
}

// everyEntry follows the pages to the end.
func everyEntry(ctx context.Context, api *client.API, name string, after uint64, show func(store.Entry) error) error {
	for {
		page, err := api.Journal(ctx, name, after, 0)
		if err != nil {
			return err
		}
		for _, entry := range page.Items {
			after = entry.Seq
			if err := show(entry); err != nil {
				return err
			}
		}
		if page.Next == "" {
			return nil
		}
	}
}

// entryPrinter prints an entry as a line of text, or as one JSON object a line.
func (c *cli) entryPrinter(format string) func(store.Entry) error {
	s := c.style(c.out)
	return func(e store.Entry) error {
		if format == formatJSON {
			return writeJSONLine(c.out, e)
		}
		var about struct {
			Step    string `json:"step"`
			Attempt int    `json:"attempt"`
			Status  string `json:"status"`
		}
		_ = json.Unmarshal(e.Data, &about) // what is not there is not shown
		text := about.Step
		if about.Attempt > 1 {
			text += fmt.Sprintf(" (attempt %d)", about.Attempt)
		}
		if text == "" {
			text = about.Status
		}
		_, err := fmt.Fprintf(c.out, "%s  %s  %-26s %s\n",
			s.dim(fmt.Sprintf("%6d", e.Seq)), s.dim(e.Time.Local().Format("15:04:05.000")), e.Type, clean(text))
		return err
	}
}
