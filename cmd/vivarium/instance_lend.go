package main

import (
	"context"
	"time"

	"github.com/vivarium-env/vivarium/pkg/cluster/replication"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// lendTime is how long another secondary may take for what this one lacks: they were both at the end of the same journal.
const lendTime = 30 * time.Second

// lends tells whether this secondary gives another one what that lacks: it has promised not to go on without it.
func (s *instance) lends(ctx context.Context) bool {
	if s.settings.Primary {
		return false
	}
	epoch, err := s.store.Epoch(ctx)
	s.votes.mu.Lock()
	defer s.votes.mu.Unlock()
	given := s.votes.given
	return err == nil && given.To != "" && given.To != s.voter() && given.Epoch > epoch
}

// complete has here what another secondary has, which has agreed that this one takes over, and gives back how far this one is then. Of two that
// were following when their primary was lost, each may have entries that the other one lacks. One that lacks nothing is to be promoted instead.
func (s *instance) complete(ctx context.Context, other replication.Name, theirs, mine []uint64) ([]uint64, error) {
	more, less := ahead(theirs, mine), ahead(mine, theirs)
	switch {
	case more == 0:
		return mine, nil
	case less == 0:
		return nil, fault.New(fault.Reject, fault.Conflict, "%s has %d entries that this side does not have: promote that one instead (%s)", other.Server, more, other.API)
	}
	s.log.Info("another secondary has entries that this one lacks, and the other way round: they are taken from it", "secondary", other.Server, "entries", more)
	ctx, cancel := context.WithTimeout(ctx, lendTime)
	defer cancel()
	if err := s.follower.CatchUp(ctx, other.API, theirs); err != nil {
		return nil, fault.Wrap(err, fault.Reject, fault.Conflict,
			"%s has %d entries that this side does not have, and lacks %d that are here; they could not be taken from it: %s. Ask again, or, if they are to be set aside, stop it and say --alone",
			other.Server, more, less, fault.From(err).Message)
	}
	return s.positions(ctx)
}
