package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/store"
)

func newEnvironmentJournal(x *connection) *cobra.Command {
	var follow bool
	var after uint64
	var format string
	cmd := &cobra.Command{
		Use:   "journal NAME",
		Short: "Print everything that has happened to an environment",
		Long: "Prints everything that has happened to an environment, oldest first: a line an event, with its type and, in words, what\n" +
			"happened, who asked for it and why.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := x.api()
			if err != nil {
				return err
			}
			show := x.c.entryPrinter(format)
			if follow {
				return api.FollowJournal(cmd.Context(), args[0], after, show)
			}
			return everyEntry(after, show, func(after uint64) (wire.List[store.Entry], error) {
				return api.Journal(cmd.Context(), args[0], after, 0)
			})
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on until interrupted")
	cmd.Flags().Uint64Var(&after, "after", 0, "only entries with a higher sequence number")
	outputFlag(cmd, &format, formatTable, formatJSON)
	return cmd
}

// everyEntry follows the pages to the end.
func everyEntry(after uint64, show func(store.Entry) error, read func(after uint64) (wire.List[store.Entry], error)) error {
	for {
		page, err := read(after)
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

// longestWords is where a line is cut, in runes; all of it is in the JSON.
const longestWords = 400

// entryPrinter prints an entry as a line of text, or as one JSON object a line.
func (c *cli) entryPrinter(format string) func(store.Entry) error {
	s, t := c.style(c.out), newTeller()
	return func(e store.Entry) error {
		if format == formatJSON {
			return writeJSONLine(c.out, e)
		}
		_, err := fmt.Fprintf(c.out, "%s  %s  %s %s\n",
			s.dim(fmt.Sprintf("%6d", e.Seq)), s.dim(moment(e.Time)), s.dim(fmt.Sprintf("%-29s", e.Type)), cut(t.words(e), longestWords))
		return err
	}
}
