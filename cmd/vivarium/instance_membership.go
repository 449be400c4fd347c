package main

import (
	"context"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/cluster/authority"
	"github.com/vivarium-env/vivarium/pkg/cluster/membership"
	"github.com/vivarium-env/vivarium/pkg/cluster/replication"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// openMembership finds out which secondaries this side counts, as it or another of its servers has them in the store.
func (s *instance) openMembership(ctx context.Context) error {
	if !s.settings.Primary {
		return nil
	}
	s.membership = membership.New(membership.Options{Store: s.store, Partitions: s.settings.Partitions, Epoch: s.epoch, Lease: s.lease,
		Log: s.log.With("part", "membership")})
	return s.membership.Start(ctx)
}

func (s *instance) closeMembership(ctx context.Context) error {
	if s.membership == nil {
		return nil
	}
	return s.membership.Stop(ctx)
}

// heardSecondary renews the lease. A secondary that is new joins those that are counted.
func (s *instance) heardSecondary(r replication.Report) {
	if s.membership != nil {
		s.membership.Heard(membership.Reading{Secondary: secondary(r.Name), Knows: r.Knows}, r.AsOf)
	}
}

// secondaries are those that were heard in the last day.
func (s *instance) secondaries() []replication.Peer {
	all := s.source.Peers()
	for i := range all {
		all[i].Counted = s.membership != nil && s.membership.Counts(secondary(all[i].Name))
	}
	return all
}

// secondary is what one is called among those that are counted.
func secondary(n replication.Name) store.Secondary {
	return store.Secondary{Name: n.Cluster + "/" + n.Server, Side: n.Side}
}

// countedFor is what a secondary may know of those that are counted, with their addresses as far as they are known.
func (s *instance) countedFor(to replication.Name, peers []replication.Peer) *replication.Counted {
	if s.membership == nil {
		return nil
	}
	known := map[string]replication.Peer{}
	for _, p := range peers {
		known[secondary(p.Name).Name] = p
	}
	self := known[secondary(to).Name]
	version, all := s.membership.Tell(secondary(to), self.Has)
	if version == 0 {
		return nil
	}
	c := &replication.Counted{Version: version}
	for _, o := range all {
		cluster, server, _ := strings.Cut(o.Name, "/")
		c.Names = append(c.Names, replication.Name{Cluster: cluster, Server: server, API: known[o.Name].API, Side: o.Side})
	}
	return c
}

// kept waits for the secondaries that make a majority with this side, where there is a lease: whoever can take over then has what
// was offered. Nil where nobody has to be asked.
func (s *instance) kept() func(context.Context, int, uint64) error {
	if s.membership == nil || s.settings.Cluster.Lease <= 0 {
		return nil
	}
	return func(ctx context.Context, partition int, seq uint64) error {
		counted, err := s.membership.Look(ctx) // after the entry is in the store: who is counted later has it
		if err != nil {
			return err
		}
		names := counted.Names()
		return s.source.Await(ctx, partition, seq, names, authority.Quorum(len(names)))
	}
}
