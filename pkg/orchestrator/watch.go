package orchestrator

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"time"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/store"
)

const (
	// leaseRounds is how many rounds a runner goes on watching what it is told no more.
	leaseRounds = 4
	// fullRounds is in how many rounds all that a runner needs for a watch is said once more: it may not have heard it.
	fullRounds = 6
)

// watches is what a partition's owner has given to runners to watch. It is no part of any state: who takes the partition
// over gives it out anew, by the same rule, and mostly to the same runners. It belongs to the partition's loop.
type watches struct {
	last   time.Time
	round  int
	placed map[watchKey]placement
	told   map[string]bool // runners that had something in the last round
}

type watchKey struct {
	environment, step string
	measure, follow   bool
}

type placement struct {
	runner string // "" while nobody can
	since  time.Time
}

// round is one giving out of watches.
type round struct {
	t       *turn
	runners []event.Alive
	placed  map[watchKey]placement
	lists   map[string][]event.Watch
	blind   []environment.HealthInput
}

// watch tells runners what to watch, every few seconds. Saying all of it again and again is what makes it right after
// whatever was lost: a message, a runner, a server.
func (t *turn) watch() error {
	w := &t.p.watches
	if t.now.Sub(w.last) < t.p.WatchEvery && !t.p.usage.news(t.p.number) {
		return nil
	}
	w.last = t.now
	w.round++
	r := &round{t: t, runners: t.p.runners.list(), placed: map[watchKey]placement{}, lists: map[string][]event.Watch{}}
	for _, s := range t.p.states {
		s.Watches(func(n *environment.Step) { r.health(s, n) })
		if s.Watched() {
			s.Live(func(n *environment.Step) { r.follow(s, n) })
		}
		if t.p.usage.of(s.Name, t.now) {
			s.Live(func(n *environment.Step) { r.measure(s, n) })
		}
	}
	r.send(w)
	w.placed = r.placed
	for _, in := range r.blind {
		if err := t.decide(in.Environment, in); err != nil {
			return err
		}
	}
	return nil
}

// health gives out one status endpoint; when for some time nobody could ask it, its health is no longer known.
func (r *round) health(s *environment.State, n *environment.Step) {
	w := event.Watch{Environment: s.Name, Operation: n.Operation, Step: n.ID(), Known: n.Health.Status}
	key := watchKey{environment: s.Name, step: n.ID()}
	p := r.place(key, n.PoolName(), n.Ability())
	switch {
	case p.runner != "":
		if r.full(key, p) {
			w.Endpoint = n.Endpoint
		}
		r.lists[p.runner] = append(r.lists[p.runner], w)
	case r.t.now.Sub(p.since) > leaseRounds*r.t.p.WatchEvery:
		r.blind = append(r.blind, environment.HealthInput{ResourceHealth: event.ResourceHealth{
			Environment: s.Name, Operation: n.Operation, Step: n.ID(), Epoch: s.Epoch, Status: event.HealthUnknown,
			Detail: "no runner of pool \"" + n.PoolName() + "\" that can ask it is there"}})
	}
}

// measure gives out one resource whose usage somebody wants to know.
func (r *round) measure(s *environment.State, n *environment.Step) {
	if !r.t.p.usage.wanted(s.Name, n.ID(), r.t.now) {
		return
	}
	w := event.Watch{Environment: s.Name, Operation: n.Operation, Step: n.ID(), Measure: true, Executor: n.Executor}
	key := watchKey{environment: s.Name, step: n.ID(), measure: true}
	if p := r.place(key, n.PoolName(), n.Executor); p.runner != "" {
		if r.full(key, p) {
			w.Inputs, w.Outputs = n.Inputs, n.Outputs
		}
		r.lists[p.runner] = append(r.lists[p.runner], w)
	}
}

// follow gives out one resource whose output somebody can follow; where to go on is what the store says.
func (r *round) follow(s *environment.State, n *environment.Step) {
	key := watchKey{environment: s.Name, step: n.ID(), follow: true}
	p := r.place(key, n.PoolName(), n.Executor)
	if p.runner == "" {
		return
	}
	w := event.Watch{Environment: s.Name, Operation: n.Operation, Step: n.ID(), Follow: true, Executor: n.Executor}
	if r.full(key, p) {
		last, err := r.t.p.Store.ReadLogs(r.t.p.run, store.LogSelection{Environment: s.Name, Step: n.ID(), Limit: 1, Newest: true})
		if err == nil {
			w.Inputs, w.Outputs = n.Inputs, n.Outputs
		}
		if len(last) > 0 {
			w.Since = last[0].Time.Add(1)
		}
	}
	r.lists[p.runner] = append(r.lists[p.runner], w)
}

// place finds the runner of a watch: of those that can, the one with the highest hash together with it (D. Thaler and C.
// Ravishankar, "A Name-Based Mapping Scheme for Rendezvous", 1996), so that little moves when a runner comes or goes.
func (r *round) place(key watchKey, pool, ability string) placement {
	var best event.Alive
	var highest []byte
	for _, a := range r.runners {
		if a.Leaving || !slices.Contains(a.Pools, pool) || !key.can(&a, ability) {
			continue
		}
		hash := sha256.Sum256([]byte(a.Name + "\x00" + key.environment + "\x00" + key.step))
		if bytes.Compare(hash[:], highest) > 0 {
			best, highest = a, hash[:]
		}
	}
	p := placement{runner: best.Runner, since: r.t.now}
	if was, known := r.t.p.watches.placed[key]; known && was.runner == p.runner {
		p.since = was.since
	}
	r.placed[key] = p
	return p
}

// can tells whether a runner is able to do what is watched.
func (k watchKey) can(a *event.Alive, ability string) bool {
	if k.follow {
		return slices.Contains(a.Follows, ability)
	}
	return slices.Contains(a.Probes, ability) || slices.Contains(a.Executors, ability)
}

// full tells whether the runner has to be told all of a watch: when it is new to it, and now and then.
func (r *round) full(key watchKey, p placement) bool {
	if p.since.Equal(r.t.now) {
		return true
	}
	n := len(key.environment) + len(key.step) // spreads them over the rounds
	return (n+r.t.p.watches.round)%fullRounds == 0
}

// send tells every runner its list; one that had something before and has nothing now is told that once.
func (r *round) send(w *watches) {
	for runner := range w.told {
		if _, has := r.lists[runner]; !has {
			r.lists[runner] = []event.Watch{}
		}
	}
	w.told = map[string]bool{}
	for runner, list := range r.lists {
		w.told[runner] = len(list) > 0
		if len(list) == 0 {
			delete(w.told, runner)
		}
		p := r.t.p
		m := p.message(bus.Address{Exchange: bus.Control, Key: bus.RunnerTopic(runner)}, event.TypeOf(event.WatchesLeased),
			event.Watches{Partition: p.number, Epoch: p.Epoch, Runner: runner, Lease: leaseRounds * p.WatchEvery, Watches: list})
		m.Transient = true
		r.t.controls = append(r.t.controls, m)
	}
}

// reported takes what a runner says of an endpoint, when it is the one that has to watch it.
func (t *turn) reported(m event.ResourceHealth) error {
	if p := t.p.watches.placed[watchKey{environment: m.Environment, step: m.Step}]; p.runner != m.Runner || m.Runner == "" {
		return nil // somebody else's by now; the one who has it says it too
	}
	return t.decide(m.Environment, environment.HealthInput{ResourceHealth: m})
}
