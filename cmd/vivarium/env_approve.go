package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vivarium-env/vivarium/pkg/client"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
)

func newEnvironmentApprove(x *connection) *cobra.Command {
	return verdictCommand(x, event.OperationApprove, &cobra.Command{
		Use:   "approve NAME [OPERATION]",
		Short: "Let go on what waits for approval",
		Long: "Approves the plan of an update or a destroy, or steps that were held since they would do what their plan did not show. See\n" +
			"what it is with `vivarium env show NAME`, and what waits everywhere with `vivarium env approvals`.",
	}, "%[1]s: approved.\nSee how it goes with: vivarium env watch %[1]s\n")
}

func newEnvironmentReject(x *connection) *cobra.Command {
	return verdictCommand(x, event.OperationReject, &cobra.Command{
		Use:   "reject NAME [OPERATION]",
		Short: "End what waits for approval",
	}, "%[1]s: rejected.\n")
}

func verdictCommand(x *connection, command string, cmd *cobra.Command, done string) *cobra.Command {
	var v event.Judgement
	var format string
	cmd.Args = cobra.RangeArgs(1, 2)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 2 {
			v.Operation = args[1]
		}
		return x.tell(cmd.Context(), command, args[0], v, format, done)
	}
	cmd.Flags().StringArrayVar(&v.Steps, "step", nil, "of the steps that are held, only this one (may be repeated)")
	cmd.Flags().StringVar(&v.Comment, "comment", "", "why, for the journal")
	outputFlag(cmd, &format, formatTable, formatJSON)
	return cmd
}

func newEnvironmentApprovals(x *connection) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "approvals",
		Short: "List what waits for approval, everywhere",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			api, err := x.api()
			if err != nil {
				return err
			}
			waiting, err := waitingForApproval(cmd.Context(), api)
			if err != nil {
				return err
			}
			if format == formatJSON {
				return writeJSON(x.c.out, waiting)
			}
			return table(x.c.out, approvalRows(waiting))
		},
	}
	outputFlag(cmd, &format, formatTable, formatJSON)
	return cmd
}

// waitingForApproval are the environments in which something waits.
func waitingForApproval(ctx context.Context, api *client.API) ([]environment.Record, error) {
	all, err := everyEnvironment(ctx, api, client.Filter{Statuses: []environment.Status{environment.StatusAwaitingApproval, environment.Deploying, environment.Destroying}})
	waiting := []environment.Record{}
	for _, r := range all {
		if r.Awaiting != nil {
			waiting = append(waiting, r)
		}
	}
	return waiting, err
}

func approvalRows(records []environment.Record) [][]string {
	rows := [][]string{{"NAME", "OPERATION", "WHAT", "ASKED BY", "MAY BE APPROVED BY", "UNTIL"}}
	for _, r := range records {
		a := r.Awaiting
		if a.Awaits != nil {
			rows = append(rows, []string{r.Name, a.Operation, a.Kind, a.RequestedBy, approvers(*a.Awaits), moment(a.Until)})
		}
		for _, s := range a.Steps {
			rows = append(rows, []string{r.Name, a.Operation, s.Step, a.RequestedBy, approvers(s.Awaits), moment(s.Until)})
		}
	}
	return rows
}

// approvers are who may give what is open still.
func approvers(a environment.Awaits) string {
	var all []string
	for _, n := range a.Needs {
		switch {
		case n.Given != "":
		case len(n.By) > 0:
			all = append(all, strings.Join(n.By, ","))
		default:
			all = append(all, "anybody")
		}
	}
	return strings.Join(all, " and ")
}

// writeAwaiting says what waits for approval, and what to do about it.
func writeAwaiting(w io.Writer, s style, r environment.Record) {
	a := r.Awaiting
	if a == nil {
		return
	}
	_, _ = fmt.Fprintf(w, "\n%s\n", s.yellow("Waits for approval"))
	if a.Awaits != nil {
		_, _ = fmt.Fprintf(w, "  %s, operation %s, until %s, by %s\n", a.Kind, a.Operation, moment(a.Until), clean(approvers(*a.Awaits)))
		_, _ = fmt.Fprintf(w, "  See what it would change with: vivarium env approvals -o json, or GET environments/%s/operations/%s/plan\n", clean(r.Name), a.Operation)
	}
	for _, step := range a.Steps {
		_, _ = fmt.Fprintf(w, "  %s: %s, until %s, by %s\n", clean(step.Step), clean(step.Why), moment(step.Until), clean(approvers(step.Awaits)))
		var b strings.Builder
		writeDifferences(&b, s, step.Differences, step.Omitted)
		_, _ = io.WriteString(w, b.String())
	}
	_, _ = fmt.Fprintf(w, "  %s vivarium env approve %s %s, or: vivarium env reject %[2]s %[3]s\n", s.dim("→"), clean(r.Name), a.Operation)
}

// next finds the operation that carries out what another one had planned; it fails when that one came to nothing.
func next(ctx context.Context, api *client.API, name, operation string) (string, error) {
	operations, err := api.Operations(ctx, name)
	if err != nil {
		return "", err
	}
	for _, o := range operations {
		if o.Executes == operation {
			return o.ID, nil
		}
		if o.ID == operation && o.Kind == environment.PlanOperation {
			why := string(o.Status)
			if o.Error != nil {
				why = o.Error.Message
			}
			return "", fmt.Errorf("operation %s of %s was not carried out: %s", operation, name, why)
		}
	}
	return "", nil
}
