package main

import (
	"context"
	"encoding/json"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/history"
)

func newEnvironmentRollback(x *connection) *cobra.Command {
	var f plannedFlags
	cmd := &cobra.Command{
		Use:   "rollback NAME [REVISION]",
		Short: "Bring an environment back to an earlier revision, after a plan",
		Long: "Brings an environment back to the templates, as they were then, and the given parameters of an earlier revision: one of\n" +
			"`vivarium env revisions NAME`, or else the last one before the present that had been deployed. Shows what would change\n" +
			"and asks. It is an update in all that follows, and a revision itself.",
		Example: `  vivarium env rollback notes 3
  vivarium env rollback notes --yes --wait`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			number, err := x.wantedRevision(cmd.Context(), args)
			if err != nil {
				return err
			}
			data, err := json.Marshal(event.Rollback{Revision: number, FailFast: f.failFast, Parallelism: f.parallelism})
			if err != nil {
				return err
			}
			return x.planned(cmd.Context(), f, event.Proposal{Revision: number},
				order{command: event.EnvironmentRollback, environment: args[0], data: data, follow: f.follow, want: environment.Deployed})
		},
	}
	f.add(cmd)
	return cmd
}

func (x *connection) wantedRevision(ctx context.Context, args []string) (int, error) {
	if len(args) > 1 {
		return revisionNumber(args[1])
	}
	api, err := x.api()
	if err != nil {
		return 0, err
	}
	list, err := api.Revisions(ctx, args[0])
	if err != nil {
		return 0, err
	}
	if number := lastGood(list); number > 0 {
		return number, nil
	}
	return 0, usage("no revision of %s before its present one had been deployed; see `vivarium env revisions %s` and say which", args[0], args[0])
}

func revisionNumber(text string) (int, error) {
	number, err := strconv.Atoi(text)
	if err != nil || number < 1 {
		return 0, usage("%q is no revision: want a number, as `vivarium env revisions` shows them", text)
	}
	return number, nil
}

// lastGood is the newest revision before the present one that had been deployed, 0 when there is none.
func lastGood(list []history.Revision) int {
	for i := len(list) - 2; i >= 0; i-- {
		if list[i].Outcome == environment.OperationSucceeded {
			return list[i].Number
		}
	}
	return 0
}
