package watch

import (
	"context"
	"maps"
	"sync"
	"sync/atomic"
)

// Watchers are those who want to know of changes of the journal. The zero value has none.
type Watchers struct {
	mu     sync.Mutex
	all    map[chan struct{}]struct{}
	count  atomic.Int32
	closed bool
}

// Watch gets a value after each Notify; several may be one. The channel is closed when ctx ends, or by Close.
func (w *Watchers) Watch(ctx context.Context) <-chan struct{} {
	c := make(chan struct{}, 1)
	if !w.add(c) {
		close(c)
		return c
	}
	context.AfterFunc(ctx, func() { w.remove(c) })
	return c
}

func (w *Watchers) add(c chan struct{}) bool {
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
func (w *Watchers) remove(c chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, ok := w.all[c]; ok {
		delete(w.all, c)
		w.count.Add(-1)
		close(c)
	}
}

// Any tells whether somebody watches.
func (w *Watchers) Any() bool { return w.count.Load() > 0 }

// Notify leaves a value for each; one that is still there says the same.
func (w *Watchers) Notify() {
	if !w.Any() {
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

// Close ends all watches, and those to come.
func (w *Watchers) Close() {
	w.mu.Lock()
	w.closed = true
	all := maps.Clone(w.all)
	w.mu.Unlock()
	for c := range all {
		w.remove(c)
	}
}
