package watch

import (
	"maps"
	"sync"
)

// Relayed is how far partitions are published, ahead of what is written of it. The zero value knows of none.
type Relayed struct {
	mu    sync.Mutex
	known map[int]uint64
	ahead map[int]uint64 // the part of known that is not written yet
}

// Raise never lowers; it tells whether it changed anything.
func (r *Relayed) Raise(partition int, seq uint64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if seq <= r.known[partition] {
		return false
	}
	if r.known == nil {
		r.known, r.ahead = map[int]uint64{}, map[int]uint64{}
	}
	r.known[partition], r.ahead[partition] = seq, seq
	return true
}

// Lower is for a journal that is taken back.
func (r *Relayed) Lower(partition int, seq uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range []map[int]uint64{r.known, r.ahead} {
		if m[partition] > seq {
			m[partition] = seq
		}
	}
}

// Of is how far a partition is, 0 when nothing was said of it.
func (r *Relayed) Of(partition int) uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.known[partition]
}

// Any tells whether something has to be written.
func (r *Relayed) Any() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.ahead) > 0
}

// Pending is what has to be written; nil when that is nothing.
func (r *Relayed) Pending() map[int]uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.ahead) == 0 {
		return nil
	}
	return maps.Clone(r.ahead)
}

// Written takes off what was written, unless it was raised meanwhile.
func (r *Relayed) Written(marks map[int]uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for partition, seq := range marks {
		if r.ahead[partition] == seq {
			delete(r.ahead, partition)
		}
	}
}
