package main

import (
	"context"
	"slices"

	"github.com/spf13/cobra"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/client"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// orphan is something that is left, or may be, or that nobody could see to.
type orphan struct {
	Environment string `json:"environment"`
	Address     string `json:"address"`
	Executor    string `json:"executor"`
	// Why is one of orphan-suspected, destroy-failed, retained, gone, no-executor.
	Why    string `json:"why"`
	Detail string `json:"detail,omitempty"`
}

func newEnvironmentOrphans(x *connection) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "orphans",
		Short: "List what is left, or may be, of all environments",
		Long: "Lists resources whose absence a destroy could not prove (orphan-suspected), others of environments whose destroy has failed\n" +
			"(destroy-failed), those that were left where they are (retained), those that a look found gone (gone), and those whose executor\n" +
			"no runner has that is heard (no-executor).",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			found, err := x.orphans(cmd.Context())
			if err != nil {
				return err
			}
			if format == formatJSON {
				return writeJSON(x.c.out, found)
			}
			rows := [][]string{{"ENVIRONMENT", "RESOURCE", "WHY", "DETAIL"}}
			for _, o := range found {
				rows = append(rows, []string{o.Environment, o.Address, o.Why, cut(o.Detail, 100)})
			}
			return table(x.c.out, rows)
		},
	}
	outputFlag(cmd, &format, formatTable, formatJSON)
	return cmd
}

func (x *connection) orphans(ctx context.Context) ([]orphan, error) {
	api, err := x.api()
	if err != nil {
		return nil, err
	}
	runners, err := api.Runners(ctx)
	if err != nil {
		return nil, err
	}
	records, err := everyEnvironment(ctx, api, client.Filter{})
	if err != nil {
		return nil, err
	}
	found := []orphan{}
	for _, r := range records {
		for _, left := range r.Retained {
			found = append(found, orphan{r.Name, left.Address, left.Executor, "retained", "since " + moment(left.At) + ", by " + left.Operation})
		}
		if r.Status == environment.Destroyed || r.Status == environment.Planned {
			continue
		}
		resources, err := api.Resources(ctx, r.Name)
		if err != nil {
			return nil, err
		}
		for _, one := range resources {
			if why, detail := leftOver(r, one, runners); why != "" {
				found = append(found, orphan{r.Name, one.Address, one.Executor, why, detail})
			}
		}
	}
	return found, nil
}

// leftOver says why a resource is in the list, "" when it is not.
func leftOver(r environment.Record, one environment.ResourceRecord, runners []wire.Runner) (why, detail string) {
	there := one.Status != environment.Destroyed && one.Status != environment.Pending && one.Status != environment.StatusRetained
	switch err := one.Step.Error; {
	case one.Type != environment.ResourceNode || !there:
		return "", ""
	case err != nil && err.Code == fault.OrphanSuspected:
		return "orphan-suspected", err.Message
	case r.Status == environment.DestroyFailed && err != nil:
		return "destroy-failed", err.Message
	case r.Status == environment.DestroyFailed:
		return "destroy-failed", ""
	case one.Drift != nil && one.Drift.Presence == event.Absent:
		return "gone", "found so at " + moment(one.Drift.CheckedAt)
	case !slices.ContainsFunc(runners, func(x wire.Runner) bool {
		return slices.Contains(x.Executors, one.Executor) && slices.Contains(x.Pools, one.PoolName())
	}):
		return "no-executor", "no runner of pool " + one.PoolName() + " that is heard has the executor " + one.Executor
	}
	return "", ""
}
