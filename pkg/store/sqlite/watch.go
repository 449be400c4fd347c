package sqlite

import (
	"context"
	"maps"
	"sync"
	"sync/atomic"
)

// watchers are those who want to know of changes of the journal.
type watchers struct {
	mu     sync.Mutex
	all    map[chan struct{}]struct{}
	count  atomic.Int32
	closed bool
}

// Watch gets a value after each change: at once for this Store's commits, within a quarter of a second for those of
// others on the same file. Several changes may be one value; a value may come without a change. The channel is
// closed when ctx ends or the store is closed.
func (s *Store) Watch(ctx context.Context) <-chan struct{} {
	c := make(chan struct{}, 1)
	if !s.watchers.add(c) {
		close(c)
		return c
	}
	context.AfterFunc(ctx, func() { s.watchers.remove(c) })
	s.writer.nudge()
	return c
}

func (w *watchers) add(c chan struct{}) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return false
	}
	if w.all == nil {
		w.all = map[chan struct{}]struct{}{}
	}
	w.all[c] = struct{}{}
	w.count.Add(1)
	return true
}

// remove closes a channel once, whoever comes first: the end of its context or that of the store.
func (w *watchers) remove(c chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, ok := w.all[c]; ok {
		delete(w.all, c)
		w.count.Add(-1)
		close(c)
	}
}

func (w *watchers) any() bool { return w.count.Load() > 0 }

// notify leaves a value for each; one that is still there says the same.
func (w *watchers) notify() {
	if !w.any() {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.all {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

func (w *watchers) close() {
	w.mu.Lock()
	w.closed = true
	all := maps.Clone(w.all)
	w.mu.Unlock()
	for c := range all {
		w.remove(c)
	}
}

// relayed is how far partitions are published, ahead of what is written of it.
type relayed struct {
	mu    sync.Mutex
	known map[int]uint64
	ahead map[int]uint64 // the part of known that is not written yet
}

// raise never lowers; it tells whether it changed anything.
func (r *relayed) raise(partition int, seq uint64) bool {
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

func (r *relayed) of(partition int) uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.known[partition]
}

func (r *relayed) any() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.ahead) > 0
}

// pending is what a transaction has to write.
func (r *relayed) pending() map[int]uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.ahead) == 0 {
		return nil
	}
	return maps.Clone(r.ahead)
}

// written takes off what a transaction wrote, unless it was raised meanwhile.
func (r *relayed) written(marks map[int]uint64) {
	if len(marks) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for partition, seq := range marks {
		if r.ahead[partition] == seq {
			delete(r.ahead, partition)
		}
	}
}
