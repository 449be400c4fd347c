package arango

import (
	"context"
	"time"
)

const (
	pollEvery  = 250 * time.Millisecond
	flushEvery = time.Second
	// flushTime bounds the last writing of what is relayed.
	flushTime = 5 * time.Second
)

// Watch gets a value after each change: at once for this Store's commits, within a quarter of a second for those of others.
// Several changes may be one value; a value may come without a change. The channel is closed when ctx ends or the store is
// closed.
func (s *Store) Watch(ctx context.Context) <-chan struct{} { return s.watchers.Watch(ctx) }

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
		if !s.watchers.Any() {
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
			s.watchers.Notify()
		}
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
		for partition, seq := range s.relays.Pending() {
			if _, err := ask[any](ctx, s, "relay", binds{"key": partitionKey(partition), "seq": seq}); err != nil {
				s.options.Log.Warn("what is relayed could not be written, and will be tried again", "error", err)
				break
			}
			s.relays.Written(map[int]uint64{partition: seq})
		}
		cancel()
	}
}
