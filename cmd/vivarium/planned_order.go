package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vivarium-env/vivarium/pkg/event"
)

// plannedFlags are of the commands that show a plan and ask before they act.
type plannedFlags struct {
	yes         bool
	failFast    bool
	parallelism int
	follow      followFlags
}

func (f *plannedFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.BoolVarP(&f.yes, "yes", "y", false, "make no plan and do not ask: for scripts")
	flags.BoolVar(&f.failFast, "fail-fast", false, "stop what runs at the first failure, instead of letting it finish")
	flags.IntVar(&f.parallelism, "parallelism", 0, "how many steps run at once (default: the server's limit)")
	f.follow.add(cmd)
}

// planned shows what a command would change and asks, and then has that plan carried out and nothing else; or it publishes the
// command at once when it is told not to ask. A plan in which something could not be told is shown, and asked about, like any
// other. An adoption is carried out by its own command, since a plan of it can't be.
func (x *connection) planned(ctx context.Context, f plannedFlags, p event.Proposal, o order) error {
	if f.parallelism < 0 {
		return usage("--parallelism can't be negative")
	}
	if f.yes {
		return x.order(ctx, o)
	}
	plan, err := x.ask(ctx, p, o)
	if err != nil {
		return err
	}
	if o.command != event.EnvironmentAdopt {
		if o, err = applying(o, plan); err != nil {
			return err
		}
	}
	return x.order(ctx, o)
}

// applying is the order to carry out a plan, with what the order that it takes the place of says besides.
func applying(o order, plan string) (order, error) {
	var data event.ApplyPlan
	if err := json.Unmarshal(o.data, &data); err != nil {
		return o, err
	}
	data.Plan = plan
	text, err := json.Marshal(data)
	o.command, o.data = event.EnvironmentApply, text
	return o, err
}

// ask returns the plan's id.
func (x *connection) ask(ctx context.Context, p event.Proposal, o order) (string, error) {
	if !x.c.terminal(x.c.in) {
		return "", usage("there is no terminal to show the plan and ask on; say --yes to go on without, or see it with `vivarium env plan`")
	}
	api, err := x.api()
	if err != nil {
		return "", err
	}
	data, err := json.Marshal(p)
	if err != nil {
		return "", err
	}
	plan, operation, err := x.asked(ctx, api, order{command: event.EnvironmentPlan, environment: o.environment, data: data})
	if err != nil {
		return "", err
	}
	if err := x.c.plan(x.c.err, order{environment: o.environment}, operation, plan); err != nil {
		return "", err
	}
	return operation, x.c.agreed(o.environment)
}

// agreed asks a person.
func (c *cli) agreed(name string) error {
	_, _ = fmt.Fprintf(c.err, "Go on with %s? Type yes: ", clean(name))
	answer, _ := bufio.NewReader(c.in).ReadString('\n')
	if strings.TrimSpace(answer) != "yes" {
		return errors.New("not agreed; nothing was changed")
	}
	return nil
}
