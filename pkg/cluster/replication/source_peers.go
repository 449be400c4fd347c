package replication

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vivarium-env/vivarium/pkg/store"
)

const (
	// manyPeers bounds how many secondaries are remembered.
	manyPeers = 256
	// forgetPeer is how long a secondary is shown that is not heard any more.
	forgetPeer = 24 * time.Hour
)

// peers are the secondaries. Safe for concurrent use.
type peers struct {
	mu      sync.Mutex
	all     map[string]*Peer
	streams int
	ended   chan struct{} // not nil: closed once there are no streams
	changed chan struct{} // not nil: closed at the next report
}

// key is as Await takes it.
func (n Name) key() string { return n.Cluster + "/" + n.Server }

// find gives the secondary's place; mu is held.
func (p *peers) find(n Name, address string, now time.Time) *Peer {
	found := p.all[n.key()]
	if found == nil {
		p.forget(now)
		found = &Peer{Since: now, Positions: []Position{}}
		p.all[n.key()] = found
	}
	found.Name = n
	if address != "" {
		found.Address = address
	}
	return found
}

func (p *peers) forget(now time.Time) {
	maps.DeleteFunc(p.all, func(_ string, old *Peer) bool { return !old.Connected && now.Sub(old.Heard) > forgetPeer })
	for key, old := range p.all {
		if len(p.all) < manyPeers {
			return
		}
		if !old.Connected {
			delete(p.all, key)
		}
	}
}

// connect counts a stream, until the function is called that it gives back.
func (p *peers) connect(n Name, address string, positions []Position) (leave func()) {
	now := time.Now().UTC()
	p.mu.Lock()
	defer p.mu.Unlock()
	peer := p.find(n, address, now)
	peer.Connected, peer.Since, peer.Heard, peer.Positions = true, now, now, positions
	peer.streams++
	p.streams++
	p.said()
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if peer.streams--; peer.streams == 0 {
			peer.Connected, peer.Since = false, time.Now().UTC()
		}
		if p.streams--; p.streams == 0 && p.ended != nil {
			close(p.ended)
			p.ended = nil
		}
	}
}

// report takes what a secondary says of itself.
func (p *peers) report(r Report, address string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now().UTC()
	peer := p.find(r.Name, address, now)
	peer.Heard, peer.Positions, peer.Stopped, peer.asOf = now, r.Positions, r.Stopped, r.AsOf
	if r.Members != nil {
		peer.Members = r.Members
	}
	p.said()
}

// idle waits until no stream is left.
func (p *peers) idle(ctx context.Context) error {
	p.mu.Lock()
	if p.streams == 0 {
		p.mu.Unlock()
		return nil
	}
	if p.ended == nil {
		p.ended = make(chan struct{})
	}
	ended := p.ended
	p.mu.Unlock()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("secondaries are cut off: %w", ctx.Err())
	}
}

// Peers are the secondaries that were heard in the last day, by name, with how far each is behind.
func (s *Source) Peers() []Peer {
	heads, at, _ := s.heads.latest()
	s.peers.mu.Lock()
	defer s.peers.mu.Unlock()
	list := make([]Peer, 0, len(s.peers.all))
	for _, p := range s.peers.all {
		shown := *p
		shown.Positions, shown.Stopped = slices.Clone(p.Positions), slices.Clone(p.Stopped)
		shown.Members = slices.Clone(p.Members)
		shown.Lag = lagOf(p, heads, at)
		list = append(list, shown)
	}
	slices.SortFunc(list, func(a, b Peer) int { return strings.Compare(a.key(), b.key()) })
	return list
}

// Has is the last entry that the secondary has of a partition, 0 where it has said nothing of that.
func (p *Peer) Has(partition int) uint64 {
	if i := slices.IndexFunc(p.Positions, func(o Position) bool { return o.Partition == partition }); i >= 0 {
		return p.Positions[i].Seq
	}
	return 0
}

// lagOf is what a secondary lacks of what is there, and since when, by this server's clock.
func lagOf(p *Peer, heads []store.Head, at time.Time) Lag {
	lag := Lag{Known: !p.asOf.IsZero()}
	for _, h := range heads {
		if has := p.Has(h.Partition); h.Seq > has {
			lag.Entries += h.Seq - has
		}
	}
	if lag.Known && (lag.Entries > 0 || !p.Connected) {
		lag.Seconds = max(at.Sub(p.asOf).Seconds(), 0)
	}
	return lag
}
