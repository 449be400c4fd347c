package orchestrator

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
)

const (
	// lookPrefix begins the operation of a task that no operation asked for; behind it stands the environment's last one.
	lookPrefix = "look/"
	// lookShare of what the runners of a pool do at once may be looks of one server, and lookWithin bounds one.
	lookShare  = 4
	lookWithin = 10 * time.Minute
	// lookBack bounds how far back a tick looks for what has become due: what was missed is looked at an interval later.
	lookBack = 10 * time.Second
)

// looks are those of a partition, in memory only: whoever takes it over goes on with those that become due then. It belongs
// to the partition's loop.
type looks struct {
	last   time.Time
	number int
	queue  []place
	queued map[place]bool
	flight map[place]flying
}

type flying struct {
	pool  string
	until time.Time
}

// lookBudget bounds the looks of this server in each pool.
type lookBudget struct {
	mu  sync.Mutex
	out map[string]int
	// waiting are the partitions that found no room, in the order in which they are told that there is some.
	waiting []chan struct{}
}

// take has a place, or the partition told (room) when one may be free.
func (b *lookBudget) take(pool string, most int, room chan struct{}) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.out == nil {
		b.out = map[string]int{}
	}
	if b.out[pool] >= most {
		if !slices.Contains(b.waiting, room) {
			b.waiting = append(b.waiting, room)
		}
		return false
	}
	b.out[pool]++
	return true
}

func (b *lookBudget) free(pool string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.out[pool]--
	if len(b.waiting) > 0 {
		select {
		case b.waiting[0] <- struct{}{}:
		default:
		}
		b.waiting = b.waiting[1:]
	}
}

// forgetLooks gives back what is in flight: another server may own the partition by now.
func (p *partition) forgetLooks() {
	for at := range p.looks.flight {
		p.landed(at)
	}
	p.looks = looks{number: p.looks.number}
}

func (p *partition) landed(at place) {
	if f, flies := p.looks.flight[at]; flies {
		delete(p.looks.flight, at)
		p.looking.free(f.pool)
	}
}

// lookAround offers the looks that have become due, as far as there is room for them. Each resource has a moment of its own in
// the interval, by its name, so that they are spread evenly and need no memory.
func (t *turn) lookAround() {
	l := &t.p.looks
	from := l.last
	if l.last = t.now; t.now.Sub(from) > lookBack {
		from = t.now.Add(-lookBack)
	}
	for at, f := range l.flight {
		if t.now.After(f.until) {
			t.p.landed(at)
		}
	}
	for name, s := range t.p.states {
		if s.Status != environment.Deployed || s.Busy() {
			continue
		}
		every, _ := s.DriftPolicy(t.p.DriftEvery)
		if every <= 0 {
			continue
		}
		s.Live(func(n *environment.Step) {
			if t.now.Sub(n.FinishedAt) >= every && comes(name, n.Address, every, from, t.now) {
				l.enqueue(place{name, n.ID()})
			}
		})
	}
	t.offerLooks()
}

func (l *looks) enqueue(at place) {
	if l.queued == nil {
		l.queued, l.flight = map[place]bool{}, map[place]flying{}
	}
	if _, flies := l.flight[at]; flies || l.queued[at] {
		return
	}
	l.queued[at] = true
	l.queue = append(l.queue, at)
}

// comes tells whether the moment of a resource lies between two times.
func comes(name, step string, every time.Duration, from, to time.Time) bool {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name))
	_, _ = h.Write([]byte{0})
	_, _ = h.Write([]byte(step))
	moment := int64(h.Sum64() % uint64(every)) //nolint:gosec // both are positive
	return (to.UnixNano()-moment)/int64(every) > (from.UnixNano()-moment)/int64(every)
}

func (t *turn) offerLooks() {
	if t.p.draining.Load() {
		return
	}
	l := &t.p.looks
	var kept []place
	for _, at := range l.queue {
		if full := t.look(at); full {
			kept = append(kept, at)
		} else {
			delete(l.queued, at)
		}
	}
	l.queue = kept
}

// look offers one look; full says that it has to wait for others. What can't be looked at now is left for its next time.
func (t *turn) look(at place) (full bool) {
	s := t.p.states[at.environment]
	if s == nil || s.Status != environment.Deployed || s.Busy() {
		return false
	}
	n := s.Step(s.AddressOf(at.step))
	if n == nil || !n.Exists || s.GroupPause(n.Group) != nil {
		return false
	}
	pool := t.p.runners.pool(n.PoolName(), n.Executor)
	if pool.Runners == 0 || (pool.Open != nil && pool.Open.Until.After(t.now)) {
		return false
	}
	if !t.p.looking.take(n.PoolName(), max(pool.Concurrency/lookShare, 1), t.p.room) {
		return true
	}
	task, ok := t.lookTask(s, n)
	if !ok {
		t.p.looking.free(n.PoolName())
		return false
	}
	t.p.looks.flight[at] = flying{n.PoolName(), t.now.Add(t.p.decider.Policy().AcceptWithin + task.Timeout)}
	m := t.p.message(bus.Address{Key: bus.Tasks(n.PoolName())}, event.TypeOf(event.TaskOffered), task)
	m.ID = fmt.Sprintf("%s/%s/%s/%s/%d/%d/%d", t.p.Cluster, s.Name, task.Operation, task.Step, t.now.UnixNano(), task.Attempt, task.Epoch)
	m.Expires, m.Transient = t.p.decider.Policy().AcceptWithin, true
	t.tasks = append(t.tasks, m)
	return false
}

func (t *turn) lookTask(s *environment.State, n *environment.Step) (event.Task, bool) {
	t.p.looks.number++
	task := event.Task{TaskRef: event.TaskRef{Environment: s.Name, Operation: lookPrefix + s.Operation.ID, Step: n.ID(),
		Attempt: t.p.looks.number, Partition: t.p.number, Epoch: t.p.Epoch}, Verb: event.Observe, Executor: n.Executor, Inputs: n.Inputs,
		Outputs: n.Outputs, Unasked: true, Timeout: lookWithin, AcceptBefore: t.now.Add(t.p.decider.Policy().AcceptWithin)}
	if n.Timeout > 0 {
		task.Timeout = min(n.Timeout, lookWithin)
	}
	if n.Bundle != "" {
		var err error
		if task.Bundle, err = t.p.plans.bundle(t.ctx, n.TemplateHash, n.Bundle); err != nil {
			t.p.Log.Warn("the files of a resource can't be found, so it is not looked at", "environment", s.Name, "step", n.Address, "error", err)
			return task, false
		}
	}
	if n.StateHash != "" {
		kept, err := t.state(place{s.Name, n.ID()})
		if err != nil || kept.Hash != n.StateHash {
			return task, false
		}
		task.State = string(kept.Data)
	}
	return task, true
}

// unasked takes what is said of a look, and tells whether it is of one.
func (t *turn) unasked(ref event.TaskRef, over bool) (operation string, is bool) {
	operation, is = strings.CutPrefix(ref.Operation, lookPrefix)
	if is && over {
		t.p.landed(place{ref.Environment, ref.Step})
	}
	return operation, is
}

// seen takes the result of a look.
func (t *turn) seen(operation string, m event.Result) error {
	if m.Error != nil || m.Observation == nil {
		if m.Error != nil {
			t.p.Log.Debug("a look came to nothing", "environment", m.Environment, "step", m.Step, "error", m.Error.Message)
		}
		return nil
	}
	return t.decide(m.Environment, environment.LookInput{Step: m.Step, Operation: operation, Epoch: m.Epoch, Observation: *m.Observation, At: m.FinishedAt})
}
