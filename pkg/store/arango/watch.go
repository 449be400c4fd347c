package arango

import (
	"context"
	"maps"
	"sync"
	"time"
)

const (
	pollEvery  = 250 * time.Millisecond
	flushEvery = time.Second
	// flushTime bounds the last writing of what is relayed.
	flushTime = 5 * time.Second
)

// watchers are those who want to know of changes of the journal.
type watchers struct {
	mu     sync.Mutex
	all    map[chan struct{}]struct{}
	closed bool
}

// Watch gets a value after each change: at once for this Store's commits, within a quarter of a second for those of others.
// Several changes may be one value; a value may come without a change. The channel is closed when ctx ends or the store is
// closed.
func (s *Store) Watch(ctx context.Context) <-chan struct{} {
	c := make(chan struct{}, 1)
	if !s.watchers.add(c) {
		close(c)
		return c
	}
	context.AfterFunc(ctx, func() { s.watchers.remove(c) })
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
	return true
}

// remove closes a channel once, whoever comes first: the end of its context or that of the store.
func (w *watchers) remove(c chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, ok := w.all[c]; ok {
		delete(w.all, c)
		close(c)
	}
}

func (w *watchers) any() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.all) > 0
}

// notify leaves a value for each; one that is still there says the same.
func (w *watchers) notify() {
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
	defer w.mu.Unlock()
	w.closed = true
	for c := range w.all {
		close(c)
	}
	w.all = nil
}

// untilEnd is a context that Close ends.
func (s *Store) untilEnd() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		select {
		case <-s.ended:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// pollWatchers asks, while somebody watches, whether others have moved a journal on.
func (s *Store) pollWatchers() {
	defer s.running.Done()
	ctx, cancel := s.untilEnd()
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	var seen uint64
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if !s.watchers.any() {
			continue
		}
		heads, err := ask[uint64](ctx, s, "partition_heads", nil)
		if err != nil {
			if ctx.Err() == nil {
				s.options.Log.Warn("the store can't be asked for changes by others", "error", err)
			}
			continue
		}
		var sum uint64
		for _, h := range heads {
			sum += h
		}
		if sum != seen {
			seen = sum
			s.watchers.notify()
		}
	}
}

// relays are how far partitions are published, ahead of what is written of it.
type relays struct {
	mu    sync.Mutex
	known map[int]uint64
	ahead map[int]uint64 // the part of known that is not written yet
}

// raise never lowers.
func (r *relays) raise(partition int, seq uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if seq <= r.known[partition] {
		return
	}
	if r.known == nil {
		r.known, r.ahead = map[int]uint64{}, map[int]uint64{}
	}
	r.known[partition], r.ahead[partition] = seq, seq
}

func (r *relays) of(partition int) uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.known[partition]
}

// pending is what has to be written.
func (r *relays) pending() map[int]uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.ahead)
}

// written takes off what was written, unless it was raised meanwhile.
func (r *relays) written(partition int, seq uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ahead[partition] == seq {
		delete(r.ahead, partition)
	}
}

// flushRelays writes what is relayed once a second, and for the last time when the store is closed.
func (s *Store) flushRelays() {
	defer s.running.Done()
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for ended := false; !ended; {
		select {
		case <-s.ended:
			ended = true
		case <-tick.C:
		}
		ctx, cancel := context.WithTimeout(context.Background(), flushTime)
		for partition, seq := range s.relays.pending() {
			if _, err := ask[any](ctx, s, "relay", binds{"key": partitionKey(partition), "seq": seq}); err != nil {
				s.options.Log.Warn("what is relayed could not be written, and will be tried again", "error", err)
				break
			}
			s.relays.written(partition, seq)
		}
		cancel()
	}
}
