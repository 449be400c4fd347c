package main

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vivarium-env/vivarium/pkg/cluster/replication"
	"github.com/vivarium-env/vivarium/pkg/event"
)

// companion is how long another server of this side counts as there after it was heard.
const companion = 10 * time.Second

// companions are the other servers of this side, by what they say on the bus. Safe for concurrent use.
type companions struct {
	mu    sync.Mutex
	heard map[string]heardCompanion
}

type heardCompanion struct {
	event.Signal
	at time.Time
}

func (c *companions) hear(e event.Signal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.heard == nil {
		c.heard = map[string]heardCompanion{}
	}
	if e.Leaving {
		delete(c.heard, e.Server)
		return
	}
	c.heard[e.Server] = heardCompanion{e, time.Now()}
}

// all are those that were heard lately, by name.
func (c *companions) all() (list []event.Signal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for server, h := range c.heard {
		if time.Since(h.at) > companion {
			delete(c.heard, server)
			continue
		}
		list = append(list, h.Signal)
	}
	slices.SortFunc(list, func(a, b event.Signal) int { return strings.Compare(a.Server, b.Server) })
	return list
}

// has tells whether a server is one of them.
func (c *companions) has(server string) bool {
	return slices.ContainsFunc(c.all(), func(e event.Signal) bool { return e.Server == server })
}

// manyMembers bounds what a side tells of its members.
const manyMembers = 256

// sideMembers are the servers and runners of this side, this one first.
func (s *instance) sideMembers() []replication.Member {
	self := replication.Member{Kind: replication.ServerMember, Name: s.id, Role: replication.Role(s.role()), Epoch: s.epoch, Version: version, API: s.ownAddress(), Owned: s.owned()}
	if s.up.Load() && s.follower != nil {
		if id := s.follower.Status().Primary; id != nil {
			self.Epoch = max(self.Epoch, id.Epoch) // grows while it follows
		}
	}
	all := []replication.Member{self}
	for _, e := range s.companions.all() {
		all = append(all, replication.Member{Kind: replication.ServerMember, Name: e.Server, Role: replication.Role(e.Role), Epoch: e.Epoch, Version: e.Version, API: e.API, Owned: e.Owned})
	}
	if s.up.Load() && s.orchestrator != nil {
		for _, a := range s.orchestrator.Status().Runners {
			all = append(all, replication.Member{Kind: replication.RunnerMember, Name: a.Name, Version: a.Version, Pools: a.Pools})
		}
	}
	return all[:min(len(all), manyMembers)]
}

// owned are the partitions that this server owns.
func (s *instance) owned() []int {
	if !s.up.Load() || s.orchestrator == nil {
		return nil
	}
	return s.orchestrator.Status().Owned
}

// ownerOf is the server that owns a partition, as far as its side has told.
func ownerOf(members []replication.Member, partition int) string {
	for _, m := range members {
		if slices.Contains(m.Owned, partition) {
			return m.Name
		}
	}
	return ""
}
