package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/vivarium-env/vivarium/pkg/client"
	"github.com/vivarium-env/vivarium/pkg/store"
)

func newEnvironmentLogs(x *connection) *cobra.Command {
	var selection client.LogFilter
	var follow bool
	var format string
	cmd := &cobra.Command{
		Use:   "logs NAME",
		Short: "Print what the steps of an environment have printed",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := x.api()
			if err != nil {
				return err
			}
			if selection.Step != "" {
				var last string
				if selection.Step, last, err = stepAddress(cmd.Context(), api, args[0], selection.Step); err != nil {
					return err
				}
				selection.Operation = cmp.Or(selection.Operation, last)
			}
			if selection.Operation == "" {
				record, err := api.Environment(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				selection.Operation = record.Operation
			}
			show := x.c.logPrinter(selection.Step == "", format)
			selection.Missed = x.c.missedPrinter(selection.Step == "", format)
			if follow {
				selection.UntilSettled = true
				return api.FollowLogs(cmd.Context(), args[0], selection, show)
			}
			return everyLine(cmd.Context(), api, args[0], selection, show)
		},
	}
	cmd.Flags().StringVar(&selection.Step, "step", "", "only this step's, by its address")
	cmd.Flags().IntVar(&selection.Attempt, "attempt", 0, "only of this attempt (default: all)")
	cmd.Flags().StringVar(&selection.Operation, "operation", "", "of this operation (default: the last, or the step's last)")
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on until the operation, or with --step the step, is over; a running container is until it is destroyed")
	outputFlag(cmd, &format, formatTable, formatJSON)
	return cmd
}

// everyLine follows the pages to the end.
func everyLine(ctx context.Context, api *client.API, name string, selection client.LogFilter, show func(store.LogRecord) error) error {
	numbers := numbering{missed: selection.Missed}
	for {
		page, err := api.Logs(ctx, name, selection)
		if err != nil {
			return err
		}
		for _, line := range page.Items {
			selection.After = line.ID
			if err := errors.Join(numbers.before(line), show(line)); err != nil {
				return err
			}
		}
		if page.Next == "" {
			return nil
		}
	}
}

// logPrinter prints a line as text, with its step in front when there are several, or as one JSON object a line.
func (c *cli) logPrinter(named bool, format string) func(store.LogRecord) error {
	s := c.style(c.out)
	widest := 0
	return func(r store.LogRecord) error {
		if format == formatJSON {
			return writeJSONLine(c.out, r)
		}
		text := clean(r.Text)
		if r.Stream == "err" {
			text = s.yellow(text)
		}
		if !named {
			_, err := fmt.Fprintln(c.out, text)
			return err
		}
		widest = max(widest, utf8.RuneCountInString(r.Step))
		_, err := fmt.Fprintf(c.out, "%s %s\n", s.dim(fmt.Sprintf("%-*s │", widest, clean(r.Step))), text)
		return err
	}
}
