package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/cluster/authority"
	"github.com/vivarium-env/vivarium/pkg/config"
	"github.com/vivarium-env/vivarium/pkg/resilience"
)

func newClusterToken(x *connection) *cobra.Command {
	var lasts time.Duration
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Make a token that lets somebody take over once",
		Long: "Makes an operation token on either side, beforehand: `cluster promote` needs one. It is good for the epoch that is in\n" +
			"force now, so for one takeover, and until it expires. It is signed with replication.token\n" +
			"(VIVARIUM_REPLICATION_TOKEN), which this command needs.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if lasts <= 0 {
				return usage("--for has to be longer than nothing")
			}
			token, _, err := x.token(cmd.Context(), lasts)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(x.c.out, token)
			return err
		},
	}
	cmd.Flags().DurationVar(&lasts, "for", 30*24*time.Hour, "how long it can be used")
	return cmd
}

// token is an operation token for the epoch that is in force, by what the server says of both sides.
func (x *connection) token(ctx context.Context, lasts time.Duration) (token string, found wire.Cluster, err error) {
	settings, err := x.settings()
	if err != nil {
		return "", found, err
	}
	if found, err = x.cluster(ctx); err != nil {
		return "", found, err
	}
	return authority.NewToken([]byte(settings.Replication.Token), found.Epoch, time.Now().Add(lasts)), found, nil
}

func newClusterPromote(x *connection) *cobra.Command {
	var p promotion
	cmd := &cobra.Command{
		Use:   "promote --token TOKEN",
		Short: "Have a secondary take over",
		Long: "Asks the secondary that --server or the data folder names to take over. Its primary is asked to step down first, as by\n" +
			"`cluster switchover`: work is drained, nothing is lost, and the old side becomes a secondary. When the primary can't be asked, --force takes over\n" +
			"all the same: commands are taken at once, and steps run once nothing of the other side can be under way any more.",
		Example: "  vivarium cluster promote --token \"$TOKEN\" --server http://10.0.1.4:8090\n  vivarium cluster promote --token \"$TOKEN\" --force",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if p.Token == "" {
				return usage("--token is required: make one with `vivarium cluster token`")
			}
			return x.takeOver(cmd, p)
		},
	}
	cmd.Flags().StringVar(&p.Token, "token", "", "operation token")
	cmd.Flags().BoolVar(&p.Force, "force", false, "do not ask the primary: it is lost")
	cmd.Flags().BoolVar(&p.Alone, "alone", false, "with --force: do without other secondaries that can't be asked: they are lost, too")
	return cmd
}

// settings are those of the environment variables, of which orders to a server need replication.token.
func (x *connection) settings() (config.Settings, error) {
	settings, err := config.Load(config.Inputs{Variables: x.c.variables})
	if err == nil && settings.Replication.Token == "" {
		err = usage("this needs the replication token of both sides: set VIVARIUM_REPLICATION_TOKEN")
	}
	return settings, err
}

// turnTimeout is how long a server that has changed its role may need until it works in the new one.
const turnTimeout = time.Minute

// awaitPrimary returns once the server has begun anew as the primary: what is typed next finds it.
func (x *connection) awaitPrimary(ctx context.Context, epoch uint64) error {
	if !x.reaches(ctx, func(c wire.Cluster) bool { return c.Role == wire.Primary && c.Epoch >= epoch }) {
		return fmt.Errorf("this side has taken over under epoch %d, and is not ready after %s: look at what its server prints", epoch, turnTimeout)
	}
	return nil
}

// reaches waits until both sides stand as they should, and tells whether they came to.
func (x *connection) reaches(ctx context.Context, wanted func(wire.Cluster) bool) bool {
	ctx, cancel := context.WithTimeout(ctx, turnTimeout)
	defer cancel()
	for {
		if found, err := x.cluster(ctx); err == nil && wanted(found) {
			return true
		}
		if resilience.Pause(ctx, 20*time.Millisecond) != nil {
			return false
		}
	}
}

func (x *connection) promote(ctx context.Context, p promotion) (answer promoted, err error) {
	return answer, x.give(ctx, orderPromote, p, &answer)
}
