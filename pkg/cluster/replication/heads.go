package replication

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/vivarium-env/vivarium/pkg/resilience"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// gather lets changes of the journal that follow each other closely be looked at together.
const gather = 4 * time.Millisecond

// heads looks how far the partitions are, on behalf of all streams: however many there are, the store is asked once.
type heads struct {
	store      store.Journal
	partitions int
	every      time.Duration
	log        *slog.Logger

	mu      sync.Mutex
	now     []store.Head
	at      time.Time     // before they were looked at
	changed chan struct{} // closed with the next look that finds something new
}

func newHeads(s store.Journal, partitions int, every time.Duration, log *slog.Logger) *heads {
	return &heads{store: s, partitions: partitions, every: every, log: log, now: make([]store.Head, partitions), changed: make(chan struct{})}
}

// latest are the heads, when they were looked at, and a channel that is closed once they are others.
func (h *heads) latest() ([]store.Head, time.Time, <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now, h.at, h.changed
}

// run looks until ctx ends.
func (h *heads) run(ctx context.Context) {
	watch := h.store.Watch(ctx)
	tick := time.NewTicker(h.every)
	defer tick.Stop()
	for {
		if err := h.look(ctx); err != nil && ctx.Err() == nil {
			h.log.Warn("the journal's heads can't be read; secondaries wait", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case _, open := <-watch:
			if !open {
				return
			}
		}
		_ = resilience.Pause(ctx, gather)
	}
}

func (h *heads) look(ctx context.Context) error {
	at, found := time.Now().UTC(), make([]store.Head, h.partitions)
	for p := range found {
		var err error
		if found[p], err = h.store.Head(ctx, p); err != nil {
			return err
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	news := false
	for p := range found {
		news = news || found[p].Seq != h.now[p].Seq
	}
	h.now, h.at = found, at
	if news {
		close(h.changed)
		h.changed = make(chan struct{})
	}
	return nil
}
