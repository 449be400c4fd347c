package replication

import (
	"time"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

const (
	// A partition is left to another server of this side that does not write what the primary has for so many beats, and for this long at least.
	idleBeats = 3
	idleTime  = 2 * time.Second
	// looksPerBeat bounds how often it is looked how far that one is.
	looksPerBeat = 10
)

// stand leaves a partition to another server of this side, which was faster: of those that have one store one writes it. What it writes is seen
// in the store, and where it writes nothing more, this one goes on.
func (p *partition) stand() {
	p.memory, p.missing = nil, nil
	p.count()
	p.standby.Store(true)
	p.moved, p.looked = time.Now(), time.Time{}
	p.f.Log.Info("another server of this side writes a partition; this one stands by", "partition", p.number)
}

// see finds out how far the other one is. The error is that it does not write what the primary has: then the stream begins anew, with this server writing.
func (p *partition) see(s *session) error {
	now := time.Now()
	if now.Sub(p.looked) < p.f.Beat/looksPerBeat {
		return nil
	}
	head, err := p.f.Store.Head(s.ctx, p.number)
	if err != nil {
		return err
	}
	p.looked = now
	switch {
	case head.Seq != p.applied.Load():
		p.moved = now
		p.applied.Store(head.Seq)
		p.f.view.caught(p.f.partitions)
		p.f.wrote()
	case head.Seq >= p.f.view.head(p.number):
		p.moved = now
	case now.Sub(p.moved) > max(idleBeats*p.f.Beat, idleTime):
		return fault.New(fault.Retry, fault.Unavailable, "another server of this side wrote partition %d, and does not go on", p.number)
	}
	return nil
}
