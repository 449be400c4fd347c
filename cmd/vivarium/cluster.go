package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/client"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/resilience"
)

func newCluster(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cluster",
		Short: "Both sides of a cluster, and taking over from one to the other",
		RunE:  groupOnly,
	}
	x := connectionFlags(c, cmd)
	cmd.AddCommand(newClusterStatus(x), newClusterUncertain(x), newClusterToken(x), newClusterPromote(x), newClusterSwitchover(x), newClusterForget(x),
		newClusterDivergence(x), newClusterDrill(x))
	return cmd
}

// cluster is what the server says of both sides.
func (x *connection) cluster(ctx context.Context) (wire.Cluster, error) {
	api, err := x.api()
	if err != nil {
		return wire.Cluster{}, err
	}
	return api.Cluster(ctx)
}

func newClusterUncertain(x *connection) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "uncertain",
		Short: "List the steps of which it is not known whether they were done",
		Long: "Lists the steps that were in flight when their side was lost, and about which nothing is known yet: those that are\n" +
			"still to be looked at, and those of which a person has to say it (`vivarium env settle`). Nothing of them is run again\n" +
			"before that.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			api, err := x.api()
			if err != nil {
				return err
			}
			if err := x.awaitTakenOver(cmd.Context(), api); err != nil {
				return err
			}
			list, err := uncertain(cmd.Context(), api)
			if err != nil {
				return err
			}
			return x.c.showUncertain(list, format)
		},
	}
	outputFlag(cmd, &format, formatTable, formatJSON)
	return cmd
}

// doubtful is a step in doubt.
type doubtful struct {
	Environment string                `json:"environment"`
	Step        string                `json:"step"`
	State       environment.StepState `json:"state"`
	*environment.Doubt
}

// takenOverTimeout is how long a side that has taken over may need to find out what was in flight.
const takenOverTimeout = 30 * time.Second

// awaitTakenOver waits until a side that acts knows what was in flight in every environment when it took over: a moment after that it
// would be said that nothing is uncertain. Where it takes too long, it is said of which environments that is not known.
func (x *connection) awaitTakenOver(ctx context.Context, api *client.API) error {
	ctx, cancel := context.WithTimeout(ctx, takenOverTimeout)
	defer cancel()
	found, err := api.Cluster(ctx)
	if err != nil || found.Role != wire.Primary {
		return err
	}
	busy := []environment.Status{environment.Deploying, environment.Destroying, environment.Running}
	for {
		unknown := ""
		err := eachEnvironment(ctx, api, busy, func(e environment.Record) error {
			if e.Epoch < found.Epoch {
				unknown = e.Name
			}
			return nil
		})
		if err != nil || unknown == "" {
			return err
		}
		if resilience.Pause(ctx, 50*time.Millisecond) != nil {
			return fmt.Errorf("what was in flight in environment %s when this side took over is not known yet: look at `vivarium cluster status`, and ask again", unknown)
		}
	}
}

// uncertain looks through the environments in which something is under way, or has failed.
func uncertain(ctx context.Context, api *client.API) ([]doubtful, error) {
	list := []doubtful{}
	statuses := []environment.Status{environment.Deploying, environment.Failed, environment.Destroying, environment.DestroyFailed, environment.Running, environment.Deployed}
	err := eachEnvironment(ctx, api, statuses, func(e environment.Record) error {
		if e.Status == environment.Deployed && e.Uncertain == 0 {
			return nil
		}
		resources, err := api.Resources(ctx, e.Name)
		for _, r := range resources {
			if r.Step.Doubt != nil {
				list = append(list, doubtful{e.Name, r.Address, r.Step.State, r.Step.Doubt})
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// eachEnvironment calls visit for every environment in one of these states, page by page, until it returns an error.
func eachEnvironment(ctx context.Context, api *client.API, statuses []environment.Status, visit func(environment.Record) error) error {
	f := client.Filter{Limit: 1000, Statuses: statuses}
	for {
		page, err := api.Environments(ctx, f)
		if err != nil {
			return err
		}
		for _, e := range page.Items {
			if err := visit(e); err != nil {
				return err
			}
		}
		if f.Cursor = page.Next; f.Cursor == "" {
			return nil
		}
	}
}

func (c *cli) showUncertain(list []doubtful, format string) error {
	if format == formatJSON {
		return writeJSON(c.out, list)
	}
	if len(list) == 0 {
		_, err := fmt.Fprintln(c.out, "Nothing is uncertain.")
		return err
	}
	var b strings.Builder
	s := c.style(c.out)
	for _, d := range list {
		fmt.Fprintf(&b, "%s %s  %s, attempt %d of %s, lost %s\n", s.bold(clean(d.Environment)), clean(d.Step), d.Verb, d.Attempt, clean(d.Operation), d.Since.Local().Format(time.DateTime))
		if d.State != environment.StateUncertain {
			fmt.Fprintf(&b, "    it is %s: it is looked at before anything else\n", d.State)
			continue
		}
		fmt.Fprintf(&b, "    %s\n", clean(d.Detail))
		fmt.Fprintf(&b, "    %s vivarium env settle %s '%s' done|again\n", s.dim("→"), clean(d.Environment), clean(d.Step))
	}
	what := "steps are"
	if len(list) == 1 {
		what = "step is"
	}
	fmt.Fprintf(&b, "%d %s uncertain.\n", len(list), what)
	_, err := fmt.Fprint(c.out, b.String())
	return err
}
