package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
)

func newRunnerList(c *cli, use string) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   use,
		Short: "List the runners that are heard, and what they can't reach",
	}
	x := connectionFlags(c, cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		api, err := x.api()
		if err != nil {
			return err
		}
		runners, err := api.Runners(cmd.Context())
		if err != nil {
			return err
		}
		if format == formatJSON {
			return writeJSON(c.out, append([]wire.Runner{}, runners...))
		}
		if err := table(c.out, runnerRows(runners, time.Now())); err != nil || len(runners) > 0 {
			return err
		}
		_, err = fmt.Fprintln(c.err, "No runner is heard. Start one with: vivarium runner --pool default")
		return err
	}
	outputFlag(cmd, &format, formatTable, formatJSON)
	return cmd
}

func runnerRows(runners []wire.Runner, now time.Time) [][]string {
	rows := [][]string{{"NAME", "POOLS", "EXECUTORS", "LABELS", "TASKS", "STATE", "HEARD"}}
	for _, r := range runners {
		rows = append(rows, []string{
			r.Name, strings.Join(r.Pools, ","), strings.Join(r.Executors, ","), strings.Join(r.Labels, ","),
			fmt.Sprintf("%d of %d", r.Running, r.Concurrency), runnerState(r), elapsed(max(now.Sub(r.LastHeard), 0)) + " ago",
		})
	}
	return rows
}

// runnerState says whether a runner works, and what it waits for.
func runnerState(r wire.Runner) string {
	states := []string{}
	if r.Leaving {
		states = append(states, "leaving")
	}
	for _, b := range r.Breakers {
		states = append(states, fmt.Sprintf("breaker of %s open until %s", b.Target, b.Until.Local().Format(time.TimeOnly)))
	}
	if len(states) == 0 {
		return "ready"
	}
	return strings.Join(states, "; ")
}
