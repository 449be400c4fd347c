package main

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/client"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// resourceUsage is what one resource uses, or why nobody knows.
type resourceUsage struct {
	Resource string              `json:"resource"`
	Usage    *wire.MeasuredUsage `json:"usage,omitempty"`
	Error    string              `json:"error,omitempty"`
}

func newEnvironmentUsage(x *connection) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "usage NAME [RESOURCE]...",
		Short: "Show what the resources of an environment use now",
		Long: "Shows CPU, memory and network of each replica of those resources whose kind can be measured, such as containers. They are\n" +
			"measured while somebody asks, so the first answer takes some seconds.",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := x.api()
			if err != nil {
				return err
			}
			resources, err := api.Resources(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			wanted, err := measurable(resources, args[1:])
			if err != nil {
				return err
			}
			all := measure(cmd.Context(), api, args[0], wanted)
			if format == formatJSON {
				return writeJSON(x.c.out, all)
			}
			return table(x.c.out, usageRows(all))
		},
	}
	outputFlag(cmd, &format, formatTable, formatJSON)
	return cmd
}

// measurable are the addresses that were named, or of all resources that are there.
func measurable(resources []environment.ResourceRecord, named []string) ([]string, error) {
	var all []string
	there := map[string]bool{}
	for i := range resources {
		if r := &resources[i]; r.Type == environment.ResourceNode {
			there[r.Address] = true
			if r.Status == environment.Deployed {
				all = append(all, r.Address)
			}
		}
	}
	if len(named) == 0 {
		return all, nil
	}
	for _, address := range named {
		if !there[address] {
			return nil, fault.New(fault.Reject, fault.NotFound, "there is no resource %q", clean(address))
		}
	}
	return named, nil
}

// measure asks for all of them, some at once.
func measure(ctx context.Context, api *client.API, name string, wanted []string) []resourceUsage {
	all := make([]resourceUsage, len(wanted))
	places := make(chan struct{}, 16)
	var group sync.WaitGroup
	for i, address := range wanted {
		places <- struct{}{}
		group.Go(func() {
			defer func() { <-places }()
			all[i].Resource = address
			u, err := api.Usage(ctx, name, address)
			if err != nil {
				all[i].Error = fault.From(err).Message
				return
			}
			all[i].Usage = &u
		})
	}
	group.Wait()
	return all
}

func usageRows(all []resourceUsage) [][]string {
	rows := [][]string{{"RESOURCE", "REPLICA", "STATE", "CPU", "MEMORY", "LIMIT", "RECEIVED", "SENT", "AGE"}}
	var silent []string
	for _, r := range all {
		if r.Usage == nil || len(r.Usage.Replicas) == 0 {
			silent = append(silent, r.Resource)
			continue
		}
		for _, u := range r.Usage.Replicas {
			limit := "-"
			if u.MemoryLimit > 0 {
				limit = bytesText(u.MemoryLimit)
			}
			rows = append(rows, []string{r.Resource, u.Name, u.State, fmt.Sprintf("%.2f", u.CPU), bytesText(u.Memory), limit,
				bytesText(u.NetworkReceived), bytesText(u.NetworkSent), elapsed(r.Usage.Age)})
		}
	}
	for _, address := range silent {
		rows = append(rows, strings.Split(address+"|-|not measured|-|-|-|-|-|-", "|"))
	}
	return rows
}

// bytesText shows bytes in the unit in which they are easiest to read.
func bytesText(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	v, unit := float64(n), 0
	for v >= 1024 && unit < len(units)-1 {
		v, unit = v/1024, unit+1
	}
	if unit == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", v, units[unit])
}
