package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vivarium-env/vivarium/pkg/environment"
)

func newEnvironmentShow(x *connection) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "show NAME",
		Short: "Show one environment with everything in it",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := x.api()
			if err != nil {
				return err
			}
			record, err := api.Environment(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			resources, err := api.Resources(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			operations, err := api.Operations(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if format == formatJSON {
				return writeJSON(x.c.out, map[string]any{"environment": record, "resources": resources, "operations": operations})
			}
			return x.c.show(x.c.out, record, resources, operations)
		},
	}
	outputFlag(cmd, &format, formatTable, formatJSON)
	return cmd
}

func (c *cli) show(w io.Writer, r environment.Record, resources []environment.ResourceRecord, operations []environment.OperationRecord) error {
	t := newTree(r.Name)
	t.load(r, resources)
	for _, o := range operations {
		if o.ID == r.Operation {
			t.begin(o)
		}
	}
	width, _ := c.size(w)
	s := c.style(w)
	var b strings.Builder
	for _, line := range t.render(view{now: time.Now(), width: max(width-1, 40), style: s}) {
		b.WriteString(line + "\n")
	}
	writeWaiting(&b, r.Name, t, waitingOf(t, resources), s)
	writeAwaiting(&b, s, r)
	b.WriteString("\n")
	facts := [][2]string{
		{"Description", r.Description}, {"Tags", strings.Join(r.Tags, ", ")}, {"Templates", templatesText(r.Templates)},
		{"Created", moment(r.CreatedAt)}, {"Updated", moment(r.UpdatedAt)}, {"Operation", r.Operation},
		{"Groups down", strings.Join(r.Down, ", ")},
	}
	for _, p := range r.Paused {
		facts = append(facts, [2]string{"Paused", fmt.Sprintf("%s, since %s", pausedText(p), moment(p.At))})
	}
	if h := r.Health; h != nil {
		facts = append(facts, [2]string{"Health", fmt.Sprintf("%s (%d healthy, %d unhealthy, %d unknown)", h.Status, h.Healthy, h.Unhealthy, h.Unknown)})
	}
	if r.DestroyAt != nil {
		facts = append(facts, [2]string{"Destroy at", moment(*r.DestroyAt)})
	}
	facts = append(append(facts, standingFacts(r)...), protectionFacts(r)...)
	for _, f := range facts {
		if f[1] != "" {
			fmt.Fprintf(&b, "%-12s %s\n", f[0], clean(f[1]))
		}
	}
	var parameters [][2]string
	for _, name := range slices.Sorted(maps.Keys(r.Parameters)) {
		parameters = append(parameters, [2]string{name, valueText(r.Parameters[name])})
	}
	writeFacts(&b, "Parameters", parameters)
	if r.Drifted > 0 {
		b.WriteString("\n" + s.yellow("Drift") + "\n")
		writeDrift(&b, s, resources)
	}
	if r.Error != nil {
		fmt.Fprintf(&b, "\n%s %s\n", s.red("Error"), clean(r.Error.Message))
		b.WriteString(diagnosticsText(r.Error.Diagnostics, s))
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return err
	}
	return c.outcome(w, r)
}
