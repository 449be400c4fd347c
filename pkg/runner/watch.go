package runner

import (
	"context"
	"sync"
	"time"

	"github.com/vivarium-env/vivarium/pkg/event"
)

const (
	// watchEvery is how often an endpoint is asked, and suspectEvery while it seems to have changed, unless Options say
	// otherwise.
	watchEvery   = 10 * time.Second
	suspectShare = 5 // of watchEvery
	// measureEvery is how often usage is told.
	measureEvery = 10 * time.Second
	// watchLooks bounds how many endpoints are asked at once, watchWaits how many questions may lie with a server that answers
	// only when there is news: Consul takes 200 connections of one client unless it is configured otherwise.
	watchLooks = 16
	watchWaits = 100
	// followMost bounds the resources whose output is followed at once: each takes a connection or two of its target.
	followMost = 256
)

// watchKey is what makes a watch one of its own: an endpoint that was validated anew is watched anew.
type watchKey struct {
	environment, operation, step string
	measure, follow              bool
}

// watching is all that the runner watches. It is safe for concurrent use.
type watching struct {
	runner *Runner
	every  time.Duration
	looks  chan struct{}
	waits  chan struct{}
	places chan struct{} // for following

	mu       sync.Mutex
	watchers map[watchKey]*watcher
	sequence uint64
}

// watcher watches one thing until its lease has run out.
type watcher struct {
	of        *watching
	key       watchKey
	partition int
	epoch     uint64
	watch     event.Watch
	cancel    context.CancelFunc
	again     chan struct{} // the server knows something else than what was seen

	// guarded by of.mu
	until time.Time
	known event.HealthStatus
	seen  event.HealthStatus // what was settled on here; "" before
	why   string
}

func newWatching(r *Runner, every time.Duration) *watching {
	if every <= 0 {
		every = watchEvery
	}
	return &watching{runner: r, every: every, looks: make(chan struct{}, watchLooks), waits: make(chan struct{}, watchWaits),
		places: make(chan struct{}, followMost), watchers: map[watchKey]*watcher{}}
}

// lease takes what the owner of a partition says that this runner watches of it: what is new begins, what is there goes
// on, and what is not in the list any more ends.
func (w *watching) lease(l event.Watches) {
	if l.Runner != w.runner.id || w.runner.living.Err() != nil {
		return
	}
	until := time.Now().Add(l.Lease)
	w.mu.Lock()
	defer w.mu.Unlock()
	named := map[watchKey]bool{}
	for _, one := range l.Watches {
		key := watchKey{one.Environment, one.Operation, one.Step, one.Measure, one.Follow}
		named[key] = true
		if known := w.watchers[key]; known != nil {
			known.renew(until, one.Known)
		} else if one.Endpoint != nil || len(one.Inputs) > 0 {
			w.begin(key, one, l, until)
		}
	}
	for key, x := range w.watchers {
		if x.partition == l.Partition && !named[key] {
			w.end(key, x)
		}
	}
}

// renew keeps a watch; the server hears again of what it does not know. mu is held.
func (x *watcher) renew(until time.Time, known event.HealthStatus) {
	x.until, x.known = until, known
	if x.seen != "" && x.seen != known {
		signal(x.again)
	}
}

// begin starts a watcher; mu is held.
func (w *watching) begin(key watchKey, one event.Watch, l event.Watches, until time.Time) {
	x := &watcher{of: w, key: key, partition: l.Partition, epoch: l.Epoch, watch: one, until: until, known: one.Known,
		again: make(chan struct{}, 1)}
	work := x.health
	switch {
	case one.Measure:
		work = x.measure
	case one.Follow:
		work = x.follow
	}
	var ctx context.Context
	ctx, x.cancel = context.WithCancel(w.runner.living)
	w.watchers[key] = x
	w.runner.background.Go(func() { work(ctx) })
}

// end stops a watcher; mu is held.
func (w *watching) end(key watchKey, x *watcher) {
	x.cancel()
	delete(w.watchers, key)
}

// expire ends what nobody has renewed: another runner has it by now, or it is no more.
func (w *watching) expire(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for key, x := range w.watchers {
		if x.until.Before(now) {
			w.end(key, x)
		}
	}
}

// next numbers the reports.
func (w *watching) next() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sequence++
	return w.sequence
}
