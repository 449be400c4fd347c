package main

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/vivarium-env/vivarium/pkg/cluster/replication"
)

// unseen is why this primary would not find out that another side has taken over; "" where it would, or there is none.
func (s *instance) unseen() string {
	if s.consul != nil || len(s.others()) > 0 || len(s.lease.Members()) == 0 {
		return ""
	}
	what := "it stops when its lease ends, and does not come back as a secondary"
	if s.settings.Cluster.Lease <= 0 {
		what = "it goes on acting, since cluster.lease is 0"
	}
	return "this side would not find out that another one has taken over: it has no address of another side, and no Consul. Then " + what +
		". Start it with the addresses of its secondaries: --follow (replication.primary)"
}

// behind are servers that go on as primaries under a lower epoch, though this side has taken over. Safe for concurrent use.
type behind struct {
	mu   sync.Mutex
	seen map[string]sighting // by address
}

type sighting struct {
	epoch uint64
	times int
}

// saw takes those that were found this time, with their epochs, and returns those of which it is sure now: one that is
// beginning anew as a secondary is left the time for that.
func (b *behind) saw(found map[string]uint64) (news []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := map[string]sighting{}
	for address, epoch := range found {
		now[address] = sighting{epoch, b.seen[address].times + 1}
		if now[address].times == sureOfRival {
			news = append(news, address)
		}
	}
	b.seen = now
	return news
}

// words say which they are, and what to do.
func (b *behind) words() (all []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, address := range slices.Sorted(maps.Keys(b.seen)) {
		if one := b.seen[address]; one.times >= sureOfRival {
			all = append(all, fmt.Sprintf("the server at %s goes on as a primary under epoch %d, which is over: it does not find this side. Stop it, and start it with this side's address (--follow, replication.primary), or with a Consul",
				address, one.epoch))
		}
	}
	return all
}

// isBehind tells whether another server is of a side that this one has taken over from, and does not know it.
func (s *instance) isBehind(id replication.Identity) bool {
	return s.settings.Primary && id.Role == replication.Primary && !id.Leaving && id.Epoch < s.epoch && id.Cluster == s.settings.PrimaryClusterName
}

// warnings are what a primary's operator has to know, though it acts.
func (s *instance) warnings() (all []string) {
	if text := s.unseen(); text != "" {
		all = append(all, text)
	}
	return append(all, s.behind.words()...)
}
