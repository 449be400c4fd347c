package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vivarium-env/vivarium/pkg/client"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// planFlags are what the command line says about a change that is thought of.
type planFlags struct {
	contentFlags
	heal     bool
	revision int
	from     string
	keep     []string
	destroy  bool
	detailed bool
	timeout  time.Duration
	format   string
}

func newEnvironmentPlan(x *connection) *cobra.Command {
	var f planFlags
	cmd := &cobra.Command{
		Use:   "plan NAME [--template TEMPLATE[@VERSION]...] [--param NAME=VALUE...]",
		Short: "Show what an update, a create or a destroy would change",
		Long: "Asks the executors what would change, and changes nothing: what an update to these templates and parameters would do, a\n" +
			"create where there is no such environment yet, or with --destroy a destroy. What depends on something that is known\n" +
			"only afterwards is shown as unknown, with what it waits for. The exit code is 0 when the plan was made and 1 when it was\n" +
			"not; with --detailed-exitcode it is 3 when something would, or may, change.",
		Example: `  vivarium env plan notes --param replicas=3
  vivarium env plan notes --destroy -o json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			data, err := f.command()
			if err != nil {
				return err
			}
			follow := followFlags{format: f.format, timeout: f.timeout}
			ctx, cancel := follow.limit(cmd.Context())
			defer cancel()
			err = x.plan(ctx, order{command: event.EnvironmentPlan, environment: args[0], data: data, follow: follow}, f.detailed)
			if errors.Is(err, context.DeadlineExceeded) {
				return fmt.Errorf("the plan of %s is not over after %s; it goes on, see `vivarium env watch %s`", args[0], f.timeout, args[0])
			}
			return err
		},
	}
	f.addChange(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&f.heal, "heal", false, "of an update that heals what the last check found off")
	flags.StringVar(&f.from, "from", "", "of a promotion of another environment, or of a clone of it where there is none of this name")
	flags.IntVar(&f.revision, "revision", 0, "of a rollback to this revision; with --from, of the other environment")
	flags.StringArrayVar(&f.keep, "keep", nil, "with --from: parameter that stays as it is (may be repeated)")
	flags.BoolVar(&f.destroy, "destroy", false, "of a destroy")
	flags.BoolVar(&f.detailed, "detailed-exitcode", false, "exit with 3 when something would change")
	flags.DurationVar(&f.timeout, "timeout", 0, "how long to wait (default: as long as it takes)")
	outputFlag(cmd, &f.format, formatTable, formatJSON)
	return cmd
}

// command is the data of environment.plan.
func (f *planFlags) command() (json.RawMessage, error) {
	params, err := f.parameters()
	if err != nil {
		return nil, err
	}
	p := event.Proposal{Templates: f.templates, Parameters: params, Destroy: f.destroy, Heal: f.heal, Revision: f.revision, From: f.from}
	if len(f.keep) > 0 {
		p.Keep = keepList(f.keep)
	}
	if len(params) == 0 {
		p.Parameters = nil
	}
	if f.destroy && (len(params) > 0 || len(f.templates) > 0 || f.heal) {
		return nil, usage("--destroy goes by what is there: no templates, no parameters, no --heal")
	}
	return json.Marshal(p)
}

// plan waits for a plan to be over and shows it.
func (x *connection) plan(ctx context.Context, o order, detailed bool) error {
	api, err := x.api()
	if err != nil {
		return err
	}
	plan, operation, err := x.asked(ctx, api, o)
	if err != nil {
		return err
	}
	if err := x.c.plan(x.c.out, o, operation, plan); err != nil {
		return err
	}
	if err := ran(ctx, api, o, "plan", operation); err != nil || !detailed || changes(plan) == 0 {
		return err
	}
	return errOther
}

// asked has a plan made, and returns it with its operation.
func (x *connection) asked(ctx context.Context, api *client.API, o order) (plan environment.PlanRecord, operation string, err error) {
	answer, err := x.send(ctx, o)
	if err != nil {
		return plan, "", err
	}
	if err := untilOver(ctx, api, o.environment, answer.Operation); err != nil {
		return plan, "", err
	}
	plan, err = api.Plan(ctx, o.environment, answer.Operation)
	return plan, answer.Operation, err
}

// untilOver waits until an operation has finished.
func untilOver(ctx context.Context, api *client.API, name, operation string) error {
	record, err := api.Environment(ctx, name)
	if err != nil || record.Operation != operation || record.Status != environment.Planning {
		return err
	}
	err = api.FollowJournal(ctx, name, record.Revision, func(e store.Entry) error {
		if e.Operation == operation && e.Type == (environment.StatusPlanned{}).Type() {
			return errOver
		}
		return nil
	})
	if errors.Is(err, errOver) {
		return nil
	}
	if err == nil {
		err = fault.New(fault.Retry, fault.Unavailable, "the journal of %s ended before the plan did", name)
	}
	return err
}

// changes counts what would, or may, change.
func changes(p environment.PlanRecord) (count int) {
	for change, n := range p.Counts {
		if change != event.ChangeNone {
			count += n
		}
	}
	return count
}

func (c *cli) plan(w io.Writer, o order, operation string, p environment.PlanRecord) error {
	if o.follow.format == formatJSON {
		return writeJSON(w, map[string]any{"environment": o.environment, "operation": operation, "plan": p})
	}
	var b strings.Builder
	s := c.style(w)
	writeContent(&b, s, p)
	for _, m := range p.Moved {
		fmt.Fprintf(&b, "  > %s  %s\n", clean(m.To), s.dim("moved from "+clean(m.From)))
	}
	for _, step := range p.Steps {
		writePlanned(&b, s, step)
	}
	writeAgainst(&b, s, p.Against)
	n := p.Counts
	fmt.Fprintf(&b, "%s, operation %s: %d to create, %d to update, %d to replace, %s, %d unknown, %d unchanged.\n", clean(o.environment), operation,
		n[event.ChangeCreate], n[event.ChangeUpdate], n[event.ChangeReplace], destroys(s, n[event.ChangeDestroy]), n[event.ChangeUnknown], n[event.ChangeNone])
	if p.Until != nil && changes(p) > 0 {
		fmt.Fprintf(&b, "To carry out exactly this, until %s: vivarium env apply %s %s\n", moment(*p.Until), clean(o.environment), operation)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func destroys(s style, n int) string {
	text := fmt.Sprintf("%d to destroy", n)
	if n > 0 {
		return s.red(text)
	}
	return text
}

func writePlanned(b *strings.Builder, s style, p environment.PlannedStep) {
	if p.Change == event.ChangeNone {
		return
	}
	name, note := clean(p.Address), ""
	switch {
	case p.Error != nil:
		note = s.red("can't be told: " + clean(p.Error.Message))
	case p.Change == event.ChangeUnknown:
		note = s.dim(untilText(p.Until))
	case p.Type == environment.ActionNode:
		note = s.dim("runs")
	case p.Change == event.ChangeDestroy, p.Change == event.ChangeReplace:
		name, note = s.red(name), s.red(map[event.Change]string{event.ChangeDestroy: "is destroyed", event.ChangeReplace: "is destroyed and made again"}[p.Change])
	}
	fmt.Fprintf(b, "  %s\n", strings.TrimRight(s.sign(p.Change)+" "+name+"  "+note, " "))
	writeDifferences(b, s, p.Differences, p.Omitted)
}
