package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/vivarium-env/vivarium/pkg/cluster/replication"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// forgotten is a secondary that is not waited for any more: its server's name, or its cluster's and server's with a slash between.
type forgotten struct {
	Name string `json:"name"`
}

func newClusterForget(x *connection) *cobra.Command {
	return &cobra.Command{
		Use:   "forget NAME",
		Short: "Give up a secondary that is gone for good",
		Long: "Has the primary act without hearing a secondary that is gone for good. NAME is what `cluster status` shows as its SERVER. It\n" +
			"has to be known that the secondary does not take over: it may, if it is only cut off. One that is heard again counts again.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var left []string
			if err := x.give(cmd.Context(), orderForget, forgotten{args[0]}, &left); err != nil {
				return err
			}
			_, err := fmt.Fprintf(x.c.out, "The primary does without %s; it asks %d other secondaries.\n", args[0], len(left))
			return err
		},
	}
}

// give gives an order to the server that --server or the data folder names.
func (x *connection) give(ctx context.Context, order string, data, answer any) error {
	settings, err := x.settings()
	if err != nil {
		return err
	}
	address, roots, err := x.address()
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: trust(roots)}}
	defer client.CloseIdleConnections()
	return replication.NewRemote(address, settings.Replication.Token, client).Order(ctx, order, data, answer)
}

// forget takes a secondary out of those that have to be heard, and returns those that are left.
func (s *instance) forget(ctx context.Context, data []byte) (any, error) {
	var f forgotten
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, fault.Wrap(err, fault.Reject, fault.Invalid, "the order can't be read")
	}
	if !s.settings.Primary || !s.up.Load() || s.membership == nil {
		return nil, fault.New(fault.Reject, fault.NotPrimary, "this side is a secondary, or starting: only a primary waits for others")
	}
	member, left, err := s.membership.Forget(ctx, f.Name)
	if err == nil {
		s.log.Warn("a secondary is given up: this side acts without hearing it", "secondary", member)
	}
	return left, err
}
