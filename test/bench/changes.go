package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/store"
)

const (
	runs       = 9
	wholeSize  = 1000
	dependents = 3
)

// wholeTemplate has a thousand resources, of which one is made of the parameter, and three of what that puts out.
var wholeTemplate = fmt.Sprintf(`template "whole" {
  version = "1.0.0"
}
parameter "value" {
  type    = number
  default = 0
}
resource "noop" "one" {
  inputs = { value = param.value }
}
resource "noop" "near" {
  count  = %d
  inputs = { value = resource.noop.one.outputs.inputs.value }
}
resource "noop" "far" {
  count  = %d
  inputs = { number = count.index, settings = { size = 3, names = ["a", "b", "c"] } }
}
`, dependents, wholeSize-dependents-1)

// changes updates one resource of a thousand, and plans where nothing has changed.
func changes(ctx context.Context, r *report) error {
	return inFolder(func(dir string) error {
		return withEmbedded(ctx, dir, func(b bus.Bus) (err error) {
			folder := filepath.Join(dir, "catalogue", "whole")
			if err := os.MkdirAll(folder, 0o755); err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(folder, "template.hcl"), []byte(wholeTemplate), 0o644); err != nil {
				return err
			}
			c, err := newCluster(ctx, dir, b)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, c.close(context.WithoutCancel(ctx))) }()
			return c.changes(ctx, r)
		})
	})
}

func (c *cluster) changes(ctx context.Context, r *report) error {
	const name = "whole"
	if _, err := c.command(ctx, name, event.EnvironmentCreate, event.Create{Templates: []string{name}}, "deployed"); err != nil {
		return err
	}
	value, began := 0, processorTime()
	update, err := median(runs, func() (time.Duration, error) {
		value++
		number, _ := json.Marshal(value)
		return c.command(ctx, name, event.EnvironmentUpdate, event.Update{Parameters: map[string]json.RawMessage{"value": number}}, "deployed")
	})
	if err != nil {
		return err
	}
	spent := processorTime() - began
	steps, err := c.offered(ctx, name)
	if err != nil {
		return err
	}
	r.row(fmt.Sprintf("embedded: update of 1 in %d with %d dependents", wholeSize, dependents), tookAndSpent(update, spent), "< 1 s")
	r.row("embedded: steps of that update", fmt.Sprint(steps), fmt.Sprint(1+dependents))
	began = processorTime()
	plan, err := median(runs, func() (time.Duration, error) {
		return c.command(ctx, name, event.EnvironmentPlan, event.Proposal{}, "planned")
	})
	if err != nil {
		return err
	}
	r.row(fmt.Sprintf("embedded: plan of %d that have not changed", wholeSize), tookAndSpent(plan, processorTime()-began), "< 200 ms")
	return nil
}

// tookAndSpent is a time by the clock, and the processor's, which says more on a machine that others use: of all runs together.
func tookAndSpent(took, spent time.Duration) string {
	return fmt.Sprintf("%.0f ms (%.0f ms of processor time)", ms(took), ms(spent)/runs)
}

// offered counts the steps of the environment's last operation that runners were given.
func (c *cluster) offered(ctx context.Context, name string) (steps int, err error) {
	record, err := c.store.Environment(ctx, name)
	if err != nil {
		return 0, err
	}
	for after := uint64(0); ; {
		entries, err := c.store.Entries(ctx, store.Selection{Partition: -1, Environment: name, After: after})
		if err != nil || len(entries) == 0 {
			return steps, err
		}
		for _, e := range entries {
			after = e.Seq
			if e.Operation == record.Operation && e.Type == (environment.StepWaiting{}).Type() {
				steps++
			}
		}
	}
}
