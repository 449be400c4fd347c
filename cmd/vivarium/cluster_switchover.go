package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/cluster/replication"
)

func newClusterSwitchover(x *connection) *cobra.Command {
	return &cobra.Command{
		Use:   "switchover",
		Short: "Have both sides change their roles, with nothing lost",
		Long: "Asks the secondary that --server or the data folder names to take over from a primary that is well: the primary takes no\n" +
			"more commands, running steps get the time of stop_timeout (30 s at most) to end, and the secondary acts once it has\n" +
			"every entry of the journal, by its checksums. Commands that are sent to the primary's bus meanwhile wait there, are\n" +
			"handed over, and answered. The primary becomes a secondary, from which the same command leads back.\n\n" +
			"It makes its operation token itself, of VIVARIUM_REPLICATION_TOKEN. For a primary that is lost see `cluster promote`.",
		Example: "  vivarium cluster switchover --server http://10.0.1.4:8090",
		RunE: func(cmd *cobra.Command, _ []string) error {
			token, found, err := x.token(cmd.Context(), turnTimeout)
			if err != nil {
				return err
			}
			if found.Role == wire.Primary {
				return usage("this side is the primary: ask the one that is to take over, with --server or --data-dir")
			}
			if err := x.takeOver(cmd, promotion{Token: token}); err != nil {
				return err
			}
			return x.awaitFollower(cmd.Context())
		},
	}
}

// awaitFollower returns once the old side has begun anew as a secondary, and has everything: what is typed next finds it.
func (x *connection) awaitFollower(ctx context.Context) error {
	follows := func(p replication.Peer) bool { return p.Lag.Known && p.Lag.Entries == 0 }
	if !x.reaches(ctx, func(c wire.Cluster) bool { return slices.ContainsFunc(c.Secondaries, follows) }) {
		return fmt.Errorf("the roles are changed, but the other side does not follow after %s: look at what its server prints", turnTimeout)
	}
	_, err := fmt.Fprintln(x.c.out, "The other side follows.")
	return err
}

// takeOver has a secondary take over, and tells how.
func (x *connection) takeOver(cmd *cobra.Command, p promotion) error {
	answer, err := x.promote(cmd.Context(), p)
	if err != nil {
		return err
	}
	if err := x.awaitPrimary(cmd.Context(), answer.Epoch); err != nil {
		return err
	}
	_, err = fmt.Fprintf(x.c.out, "This side is the primary now, under epoch %d: %s.\n", answer.Epoch, answer.how())
	return err
}

// how a side has taken over, for people.
func (p promoted) how() string {
	from := p.OfferFrom.Local().Format(time.TimeOnly)
	switch {
	case !p.Agreed:
		return "steps run from " + from + " on; what was in flight is looked at first"
	case p.InFlight > 0:
		return fmt.Sprintf("the other side has stepped down, and nothing was lost (%d entries, the same by checksum); %d steps had not ended: they are looked at first, and steps run from %s on",
			p.Entries, p.InFlight, from)
	}
	return fmt.Sprintf("the other side has stepped down, and nothing was lost (%d entries, the same by checksum)", p.Entries)
}
