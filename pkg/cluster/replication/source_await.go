package replication

import (
	"context"
	"slices"
)

// Await returns nil once so many of the secondaries, named by cluster and server with a slash between, have said that an entry is in their
// stores, or ctx's error. It is safe for concurrent use.
func (s *Source) Await(ctx context.Context, partition int, seq uint64, of []string, need int) error {
	for {
		have, changed := s.peers.having(of, partition, seq)
		if have >= need {
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

// having counts those of the secondaries that have an entry; changed is closed at the next report. One whose partition has stopped has
// another journal, whatever it counts.
func (p *peers) having(of []string, partition int, seq uint64) (have int, changed <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.changed == nil {
		p.changed = make(chan struct{})
	}
	for _, name := range of {
		peer := p.all[name]
		if peer == nil {
			continue
		}
		stopped := slices.ContainsFunc(peer.Stopped, func(s Stop) bool { return s.Partition == partition })
		if !stopped && peer.Has(partition) >= seq {
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
