package main

import (
	"slices"
	"sync"

	"github.com/vivarium-env/vivarium/pkg/cluster/replication"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// sureOfRival is how often in a row a rival has to be seen: a server of one's own side that has just begun is known by its signal then.
const sureOfRival = 3

// rival is a primary of another side under the same epoch, which began before this one: both were started as primaries while neither
// could see the other. The younger of the two does not act. Safe for concurrent use.
type rival struct {
	mu      sync.Mutex
	address string
	seen    int
	sure    bool
}

// saw takes what was found: an address of a rival, or "" where none was, and who answered. What is known of one that is silent
// now stays, since it may go on acting.
func (r *rival) saw(address string, answered []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case address != "":
		r.address = address
		r.seen++
		r.sure = r.sure || r.seen >= sureOfRival
	case slices.Contains(answered, r.address):
		r.address, r.seen, r.sure = "", 0, false
	}
}

// trouble is why this side may not act, nil where nobody is in its way.
func (r *rival) trouble(epoch uint64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.sure {
		return nil
	}
	return fault.New(fault.Wait, fault.AuthorityLost,
		"the server at %s is a primary under the same epoch %d, and began before this one: two sides can't act, and this one is the younger; stop one of them, and start it without --primary",
		r.address, epoch)
}

// outranks tells whether another primary of the same epoch began before this server, and is not of its side.
func (s *instance) outranks(id replication.Identity) bool {
	if id.Epoch != s.epoch || id.Cluster != s.settings.PrimaryClusterName || id.Begun.IsZero() || s.companions.has(id.Server) {
		return false
	}
	return id.Begun.Before(s.begun) || id.Begun.Equal(s.begun) && id.Server < s.id
}
