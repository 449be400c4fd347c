package main

import (
	"encoding/json"
	"slices"
	"sync"

	"github.com/vivarium-env/vivarium/pkg/cluster/replication"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// secondariesFile has the tally.
const secondariesFile = "secondaries.json"

// tally is what the primary has told this secondary of those that it counts, over restarts. Safe for concurrent use.
type tally struct {
	mu   sync.Mutex
	last tallyOf
}

type tallyOf struct {
	// Epoch is that of the primary that has told it.
	Epoch uint64 `json:"epoch"`
	replication.Counted
}

// under is what was told last, where a primary of this epoch has; nothing else counts.
func (t *tally) under(epoch uint64) (of tallyOf) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.last.Epoch == epoch {
		of = t.last
	}
	return of
}

// knows is the version of it, 0 where no primary of this epoch has told anything.
func (t *tally) knows(epoch uint64) uint64 { return t.under(epoch).Version }

func (s *instance) openTally() error { return readKept(s.path(secondariesFile), &s.tally.last) }

// heardPrimary remembers who the other secondaries are: they are asked when the primary is lost.
func (s *instance) heardPrimary(_ replication.Identity, b replication.Beat) {
	if b.Counted == nil {
		return
	}
	s.tally.mu.Lock()
	defer s.tally.mu.Unlock()
	last, heard := s.tally.last, tallyOf{b.Epoch, *b.Counted}
	heard.Names = addressed(heard.Names, last.Names)
	if heard.Epoch < last.Epoch || heard.Epoch == last.Epoch && (heard.Version < last.Version || heard.Version == last.Version && slices.Equal(heard.Names, last.Names)) {
		return // another server of its side has told more
	}
	data, err := json.Marshal(heard)
	if err == nil {
		err = writePrivate(s.path(secondariesFile), data)
	}
	if err != nil {
		s.log.Error("the other secondaries can't be written down", "error", err)
		return
	}
	s.tally.last = heard
}

// addressed keeps the addresses that were known before: a primary that has begun anew does not know those that have not come back to it yet.
func addressed(heard, before []replication.Name) []replication.Name {
	all := slices.Clone(heard)
	for i := range all {
		for _, n := range before {
			if all[i].API == "" && n.Cluster == all[i].Cluster && n.Server == all[i].Server {
				all[i].API = n.API
			}
		}
	}
	return all
}

// otherSecondaries are those that the primary of an epoch has told of. The error is that it does not count this one, as far as this one knows:
// it may have acted without waiting for it, and others may be asked that this one does not know of.
func (s *instance) otherSecondaries(epoch uint64) (others []replication.Name, err error) {
	self, side := s.name(), s.side()
	err = fault.New(fault.Reject, fault.Unavailable,
		"the primary has not said yet that it counts this secondary, so it may have begun steps that are not known here, and others may be about to take over: wait until it has, or, if it and all others are lost, say --alone")
	for _, n := range s.tally.under(epoch).Names {
		if n.Side == side || n.Cluster == self.Cluster && n.Server == self.Server {
			err = nil
		}
		if n.Cluster != self.Cluster || n.Server != self.Server {
			others = append(others, n)
		}
	}
	return others, err
}
