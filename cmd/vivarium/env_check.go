package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
)

// checkFlags are what the command line says about a look at what is there.
type checkFlags struct {
	data     event.Check
	detailed bool
	follow   followFlags
}

func newEnvironmentCheck(x *connection) *cobra.Command {
	var f checkFlags
	cmd := &cobra.Command{
		Use:   "check NAME [--resource ADDRESS...]",
		Short: "Look whether what is there is as it was left",
		Long: "Looks at the resources of an environment that is deployed or failed, and changes nothing. With --wait it shows what is\n" +
			"gone, and what is other than the last apply left it; `env update NAME --heal` mends that. The exit code is 0 when the\n" +
			"look succeeded and 1 when it did not; with --detailed-exitcode it is 3 when something has drifted.",
		Example: `  vivarium env check notes --wait --detailed-exitcode
  vivarium env check notes --resource 'notes.terraform.replica["a"]' --wait -o json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.detailed && !f.follow.wait {
				return usage("--detailed-exitcode needs --wait: before it is over nobody knows")
			}
			data, err := json.Marshal(f.data)
			if err != nil {
				return err
			}
			o := order{command: event.EnvironmentCheck, environment: args[0], data: data, follow: f.follow}
			if !f.follow.wait {
				return x.order(cmd.Context(), o)
			}
			return x.check(cmd.Context(), o, f.detailed)
		},
	}
	cmd.Flags().StringArrayVar(&f.data.Resources, "resource", nil, "only this address (may be repeated)")
	cmd.Flags().BoolVar(&f.detailed, "detailed-exitcode", false, "exit with 3 when something has drifted")
	f.follow.add(cmd)
	return cmd
}

// check waits for a look to be over and tells what was found.
func (x *connection) check(ctx context.Context, o order, detailed bool) error {
	api, err := x.api()
	if err != nil {
		return err
	}
	answer, err := x.send(ctx, o)
	if err != nil {
		return err
	}
	if _, err := x.c.waitFor(ctx, api, o, answer.Operation, x.c.err); err != nil {
		return err
	}
	resources, err := api.Resources(ctx, o.environment)
	if err != nil {
		return err
	}
	seen := lookedAt(resources, answer.Operation)
	if err := x.c.found(x.c.out, o, seen); err != nil {
		return err
	}
	if err := ran(ctx, api, o, "check", answer.Operation); err != nil || !detailed || countOff(seen) == 0 {
		return err
	}
	return errOther
}

// lookedAt are the resources that were steps of the operation.
func lookedAt(resources []environment.ResourceRecord, operation string) []environment.ResourceRecord {
	seen := []environment.ResourceRecord{}
	for _, r := range resources {
		if r.Step.Operation == operation {
			seen = append(seen, r)
		}
	}
	return seen
}

func countOff(resources []environment.ResourceRecord) (off int) {
	for _, r := range resources {
		if r.Drift.Off() {
			off++
		}
	}
	return off
}

// driftOf is a resource in the JSON of a check.
type driftOf struct {
	Address string             `json:"address"`
	Drift   *environment.Drift `json:"drift"` // null when the look failed, and none before it succeeded
}

func (c *cli) found(w io.Writer, o order, seen []environment.ResourceRecord) error {
	if o.follow.format == formatJSON {
		list := []driftOf{}
		for _, r := range seen {
			list = append(list, driftOf{r.Address, r.Drift})
		}
		return writeJSON(w, map[string]any{"environment": o.environment, "drifted": countOff(seen), "resources": list})
	}
	var b strings.Builder
	b.WriteString("\n")
	writeDrift(&b, c.style(w), seen)
	fmt.Fprintf(&b, "%s: %d of %d resources looked at are not as they were left.\n", clean(o.environment), countOff(seen), len(seen))
	_, err := io.WriteString(w, b.String())
	return err
}
