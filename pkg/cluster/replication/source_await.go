package replication

import (
	"context"
	"slices"
)

// Await returns nil once so many secondaries have said that an entry is in their stores, or ctx's error. It is safe for
// concurrent use.
func (s *Source) Await(ctx context.Context, partition int, seq uint64, secondaries int) error {
	for {
		have, changed := s.peers.having(partition, seq)
		if have >= secondaries {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

// Hear takes what a secondary has reported to another server of this side, which follows one of them only.
func (s *Source) Hear(r Report) { s.peers.report(r, "") }

// having counts the secondaries that have an entry; changed is closed at the next report. One whose partition has stopped has
// another journal, whatever it counts.
func (p *peers) having(partition int, seq uint64) (have int, changed <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.changed == nil {
		p.changed = make(chan struct{})
	}
	for _, peer := range p.all {
		stopped := slices.ContainsFunc(peer.Stopped, func(s Stop) bool { return s.Partition == partition })
		if !stopped && peer.has(partition) >= seq {
			have++
		}
	}
	return have, p.changed
}

// said wakes those who wait for a report; mu is held.
func (p *peers) said() {
	if p.changed != nil {
		close(p.changed)
		p.changed = nil
	}
}
