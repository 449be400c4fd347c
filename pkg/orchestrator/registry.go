package orchestrator

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
)

// How long a runner counts as there after it was heard: it speaks every two seconds. One that has only said hello is
// given the time until its next hello.
const (
	heardFor = 7 * time.Second
	helloFor = 90 * time.Second
	// helloConcurrency is assumed of a runner that has not told.
	helloConcurrency = 10
)

// registry knows the runners that are heard. It is asked with every step that could be offered, so that what it answers
// is worked out when something changes.
type registry struct {
	mu      sync.RWMutex
	runners map[string]presence
	pools   map[[2]string]environment.Pool // by pool and executor
}

type presence struct {
	event.Alive
	until time.Time
}

func newRegistry() *registry {
	return &registry{runners: map[string]presence{}, pools: map[[2]string]environment.Pool{}}
}

// alive takes what a runner says of itself. An earlier runner of the same name is gone.
func (r *registry) alive(a event.Alive, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if a.Leaving {
		delete(r.runners, a.Name)
	} else {
		r.runners[a.Name] = presence{Alive: a, until: now.Add(heardFor)}
	}
	r.index()
}

// hello counts until the runner is heard properly.
func (r *registry) hello(h event.Hello, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if known, ok := r.runners[h.Name]; ok && known.Runner == h.Runner {
		return
	}
	a := event.Alive{Name: h.Name, Runner: h.Runner, Pools: h.Pools, Executors: h.Executors, Probes: h.Probes, Concurrency: helloConcurrency, Version: h.Version, Time: now}
	r.runners[h.Name] = presence{Alive: a, until: now.Add(helloFor)}
	r.index()
}

func (r *registry) expire(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := len(r.runners)
	for name, p := range r.runners {
		if p.until.Before(now) {
			delete(r.runners, name)
		}
	}
	if len(r.runners) != before {
		r.index()
	}
}

// index adds up the runners of each pool and executor. A breaker counts when every one of them has it open; then the
// first to let one through counts.
func (r *registry) index() {
	pools := map[[2]string]environment.Pool{}
	working := map[[2]string]bool{}
	for _, p := range r.runners {
		for _, pool := range p.Pools {
			all := pools[[2]string{pool, ""}] // whatever they can do
			all.Runners++
			pools[[2]string{pool, ""}] = all
			for _, executor := range slices.Concat(p.Executors, p.Probes) {
				key := [2]string{pool, executor}
				sum := pools[key]
				sum.Runners++
				sum.Concurrency += p.Concurrency
				if open := openBreaker(p.Breakers, executor); open == nil {
					working[key] = true
				} else if sum.Open == nil || open.Until.Before(sum.Open.Until) {
					sum.Open = open
				}
				pools[key] = sum
			}
		}
	}
	for key := range working {
		sum := pools[key]
		sum.Open = nil
		pools[key] = sum
	}
	r.pools = pools
}

func openBreaker(breakers []event.Breaker, executor string) *event.Breaker {
	for i := range breakers {
		if breakers[i].Executor == executor {
			return &breakers[i]
		}
	}
	return nil
}

// pool is what the decider asks.
func (r *registry) pool(pool, executor string) environment.Pool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.pools[[2]string{pool, executor}]
}

func (r *registry) list() []event.Alive {
	r.mu.RLock()
	defer r.mu.RUnlock()
	list := make([]event.Alive, 0, len(r.runners))
	for _, p := range r.runners {
		list = append(list, p.Alive)
	}
	slices.SortFunc(list, func(a, b event.Alive) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// heardRunner takes a message of the topic of runners.
func (x *Orchestrator) heardRunner(data json.RawMessage) {
	var a event.Alive
	if err := json.Unmarshal(data, &a); err != nil || a.Name == "" || a.Runner == "" {
		x.Log.Warn("a runner says what can't be read", "error", err)
		return
	}
	x.runners.alive(a, time.Now())
}
