package main

import (
	"github.com/spf13/cobra"
)

func newEnvironment(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "environment",
		Aliases: []string{"env"},
		Short:   "Create, watch and destroy environments",
		RunE:    groupOnly,
	}
	x := connectionFlags(c, cmd)
	cmd.AddCommand(
		newEnvironmentCreate(x), newEnvironmentUpdate(x), newEnvironmentSchedule(x), newEnvironmentDestroy(x), newEnvironmentCancel(x), newEnvironmentList(x),
		newEnvironmentShow(x), newEnvironmentWatch(x), newEnvironmentGraph(x), newEnvironmentLogs(x),
		newEnvironmentJournal(x), newEnvironmentAt(x), newEnvironmentRetry(x), newEnvironmentRedeploy(x), newEnvironmentPause(x), newEnvironmentResume(x),
		newEnvironmentRun(x), newEnvironmentUsage(x), newEnvironmentCheck(x), newEnvironmentPlan(x), newEnvironmentApply(x),
		newEnvironmentSettle(x), newEnvironmentLock(x), newEnvironmentUnlock(x), newEnvironmentOrphans(x),
		newEnvironmentRevisions(x), newEnvironmentRollback(x), newEnvironmentClone(x), newEnvironmentPromote(x), newEnvironmentAdopt(x),
		newEnvironmentApprove(x), newEnvironmentReject(x), newEnvironmentApprovals(x),
	)
	return cmd
}
