package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"

	"github.com/vivarium-env/vivarium/pkg/bootstrap"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// preview shows what would be done, with an engine in a temporary folder: nothing is left of it. The real folder is only looked at.
func (x *raising) preview(ctx context.Context) (err error) {
	if err := x.possible(ctx); err != nil {
		return err
	}
	if x.kube != nil {
		made, err := x.kube.Made(ctx)
		if err != nil {
			return err
		}
		x.pending = !made
	}
	dir, err := os.MkdirTemp("", "vivarium-bootstrap-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if _, err := os.Stat(filepath.Join(x.f.Work, "bootstrap.json")); err == nil {
		return fault.New(fault.Reject, fault.Exists, "%s has been begun: run it again to go on, or ask the service with `vivarium env plan %s`", x.f.Work, bootstrap.Environment)
	}
	if err := x.prepare(ctx, dir); err != nil {
		return err
	}
	if err := x.packs(ctx); err != nil {
		return err
	}
	x.title("Environment zero")
	if err := x.with(ctx, filepath.Join(dir, "data"), func(ctx context.Context, s *instance) error { return x.planned(ctx, s) }); err != nil {
		return err
	}
	x.title("Further environments")
	if len(x.definitions) == 0 {
		x.say("  none")
	}
	for _, d := range x.definitions {
		x.say("  + %s  of %v", d.Name, d.Create.Templates)
	}
	x.say("\nNothing was done.")
	return nil
}

func (x *raising) planned(ctx context.Context, s *instance) error {
	if err := x.vacant(ctx); err != nil {
		return err
	}
	create, err := x.create(ctx, s)
	if err != nil {
		return err
	}
	data, err := json.Marshal(event.Proposal{Templates: create.Templates, Parameters: create.Parameters})
	if err != nil {
		return err
	}
	o := order{command: event.EnvironmentPlan, environment: bootstrap.Environment, data: data}
	plan, operation, err := x.on(s.busURL).asked(ctx, s.client(), o)
	if err != nil {
		return err
	}
	plan.Until = nil // nobody can carry it out: its engine ends now
	return x.plan(x.out, o, operation, plan)
}
