package authority

import (
	"sync"
	"time"
)

// Promise is a secondary's word that nothing runs on its side while the primary may still act on what it was told. It is
// safe for concurrent use.
type Promise struct {
	lease, margin time.Duration

	mu   sync.Mutex
	last time.Time
}

// NewPromise makes one for the lease that both sides are configured with. The margin is for work that is told to stop to end.
func NewPromise(lease, margin time.Duration) *Promise { return &Promise{lease: lease, margin: margin} }

// Told is to be called with the moment before each word to the primary.
func (p *Promise) Told(at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if at.After(p.last) {
		p.last = at
	}
}

// Safe is from when on nothing of the other side is being done any more, whether anybody can reach it or not. A side that has told nothing
// since it began may have before: it counts from begun.
func (p *Promise) Safe(begun time.Time) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := p.last
	if begun.After(last) {
		last = begun
	}
	return last.Add(p.lease + p.margin)
}
