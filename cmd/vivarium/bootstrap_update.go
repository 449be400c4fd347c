package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"github.com/vivarium-env/vivarium/pkg/bootstrap"
	"github.com/vivarium-env/vivarium/pkg/client"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// found has the service's bus, and notes its API, as environment zero puts them out: in the service's store where that can be read, since an update may
// have moved them, or else in the one that was handed over.
func (x *raising) found(ctx context.Context) (bus string, err error) {
	var out found
	err = x.withStore(ctx, func(s store.Store) error {
		record, err := s.Environment(ctx, bootstrap.Environment)
		if err == nil {
			out, err = x.outputs(record)
		}
		return err
	})
	if err != nil || out.API == "" || x.knows(out) {
		return out.Bus, err
	}
	return out.Bus, x.noteAPI(out)
}

// withStore reads the service's store where that is a file here, or else the one that was handed over.
func (x *raising) withStore(ctx context.Context, read func(store.Store) error) error {
	file := x.storeFile()
	if _, err := os.Stat(file); err != nil {
		file = x.folder.Path("data", "store.db")
	}
	return withSQLite(ctx, file, read)
}

// compare has the service plan environment zero as this run would have it. Where that is another one, it says what would change, and what to type; with
// --update it has the service do it, by an ordinary command.
func (x *raising) compare(ctx context.Context, api *client.API, bus string, record environment.Record) error {
	if !record.Status.Settled() || record.Status != environment.Deployed && !x.f.update {
		x.say("  %s is %s.", bootstrap.Environment, record.Status)
		return nil
	}
	wanted, err := x.proposal(ctx)
	if err != nil {
		return err
	}
	if x.f.update {
		return x.bring(ctx, api, bus, wanted)
	}
	o, plan, operation, err := x.compared(ctx, api, bus, wanted)
	switch {
	case fault.Is(err, fault.Busy):
		x.say("  %s is being worked on: no plan is made.", bootstrap.Environment)
		return nil
	case err != nil:
		return err
	case changes(plan) == 0 && len(plan.Changed) == 0 && sameTemplates(plan.Before, plan.Templates):
		x.say("  %s is the service's environment zero now, and its plan says: no change (%d resources).", bootstrap.Environment, plan.Counts[event.ChangeNone])
		return nil
	}
	x.say("  %s is the service's environment zero, and this run would have another one:\n", bootstrap.Environment)
	plan.Until = nil // what is to be typed is not the plan's id
	if err := x.plan(x.out, o, operation, plan); err != nil {
		return err
	}
	x.say("\n  It was left as it is. To have it so, run the same command with --update, or a part of it:\n    %s",
		x.hint("env", "update", bootstrap.Environment, "--template", bootstrap.Environment, "--param", "NAME=VALUE", "--wait"))
	return nil
}

// proposal is what this run would have: the template as it is now, the parameters that were given, and ours. What was given earlier, or by
// an update, and is not given now, stays.
func (x *raising) proposal(ctx context.Context) (p event.Proposal, err error) {
	t, err := x.catalogue.Get(ctx, bootstrap.Environment)
	if err != nil {
		return p, err
	}
	given, err := x.wanted(t)
	if err == nil {
		err = keepTLS(x.api(), t.Parameters(), given)
	}
	delete(given, "key") // the service works under it, so it is the same
	return event.Proposal{Templates: []string{bootstrap.Environment}, Parameters: given}, err
}

// compared has a plan made; without the template where the service's catalogue does not have it.
func (x *raising) compared(ctx context.Context, api *client.API, bus string, p event.Proposal) (o order, plan environment.PlanRecord, operation string, err error) {
	for {
		data, err := json.Marshal(p)
		if err != nil {
			return o, plan, "", err
		}
		o = order{command: event.EnvironmentPlan, environment: bootstrap.Environment, data: data}
		plan, operation, err = x.on(bus).asked(ctx, api, o)
		if !fault.Is(err, fault.UnknownTemplate) || p.Templates == nil {
			return o, plan, operation, err
		}
		p.Templates = nil
	}
}

// bring has the service update environment zero, and waits.
func (x *raising) bring(ctx context.Context, api *client.API, bus string, p event.Proposal) error {
	data, err := json.Marshal(event.Update{Templates: p.Templates, Parameters: p.Parameters})
	if err != nil {
		return err
	}
	o := order{command: event.EnvironmentUpdate, environment: bootstrap.Environment, data: data, want: environment.Deployed}
	answer, err := x.on(bus).send(ctx, o)
	if err != nil {
		return fmt.Errorf("the update of %s: %w", bootstrap.Environment, err)
	}
	record, err := x.waitFor(ctx, api, o, answer.Operation, x.out)
	if err != nil {
		return err
	}
	return x.ended(o, record)
}

func sameTemplates(a, b []environment.Template) bool {
	return slices.EqualFunc(a, b, func(a, b environment.Template) bool { return a.Name == b.Name && a.Hash == b.Hash })
}
