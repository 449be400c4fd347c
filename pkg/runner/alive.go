package runner

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// topicRunners is where runners say that they are there; topicRollCall where servers ask who is.
var (
	topicRunners  = bus.Address{Exchange: bus.Control, Key: "runners"}
	topicRollCall = bus.Address{Exchange: bus.Control, Key: "roll-call"}
)

const (
	aliveEvery = 2 * time.Second
	// tellBreakers bounds how many open breakers a message names.
	tellBreakers = 100
	// tellError bounds in bytes what is said of one.
	tellError = 512
)

// tellAlive says that the runner is there: again and again, and at once when something has changed that matters.
func (r *Runner) tellAlive() {
	ticker := time.NewTicker(aliveEvery)
	defer ticker.Stop()
	for {
		r.sayAlive()
		select {
		case <-ticker.C:
		case <-r.news:
		case <-r.living.Done():
			return
		}
	}
}

// tellNews has the servers told soon; it never blocks.
func (r *Runner) tellNews() { signal(r.news) }

// sayAlive waits for the confirm, so that a slow broker gets no more of these than it takes, but repeats nothing: the
// next one follows.
func (r *Runner) sayAlive() {
	ctx, cancel := context.WithTimeout(r.living, aliveEvery)
	defer cancel()
	confirmed := make(chan error, 1)
	err := r.sendAlive(ctx, func(err error) { confirmed <- err })
	if err == nil {
		select {
		case err = <-confirmed:
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	if err != nil && !errors.Is(err, errNotYet) && r.living.Err() == nil {
		r.log.Debug("the servers may not have heard that the runner is there", "error", err)
	}
}

// sayLeaving does not wait for the confirm: the bus waits for what it was given before it is closed.
func (r *Runner) sayLeaving(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeWithin)
	defer cancel()
	if err := r.sendAlive(ctx, func(error) {}); err != nil && !errors.Is(err, errNotYet) {
		r.log.Info("the servers could not be told that the runner is leaving", "error", err)
	}
}

// errNotYet: nobody may count on the runner yet, or nobody can hear it.
var errNotYet = errors.New("nothing to say")

// sendAlive sends one message. One at a time from the making to the sending, or an older one could come after the one
// that says "leaving".
func (r *Runner) sendAlive(ctx context.Context, done func(error)) error {
	r.telling.Lock()
	defer r.telling.Unlock()
	if r.consuming() == 0 || !r.o.Bus.Status().Connected {
		return errNotYet
	}
	m := r.message("", event.RunnerAlive, event.Envelope{}, r.alive())
	m.To, m.Expires, m.Transient = topicRunners, 2*aliveEvery, true
	return r.o.Bus.Send(ctx, m, done)
}

func (r *Runner) alive() event.Alive {
	a := event.Alive{
		Name: r.o.Name, Runner: r.id, Pools: r.o.Pools[:r.consuming()], Executors: r.executorNames(), Probes: r.probes(), Follows: r.follows(), Labels: r.o.Labels,
		Concurrency: r.o.Concurrency, Running: r.Status().Running, Leaving: r.taking.Err() != nil,
		Version: r.o.Version, Time: time.Now().UTC(),
	}
	for _, s := range r.breakers.Troubled() {
		if len(a.Breakers) == tellBreakers {
			break
		}
		of, target, _ := strings.Cut(s.Target, targetSeparator)
		b := event.Breaker{Executor: of, Target: target, Until: s.Until.UTC()}
		if s.Err != nil {
			b.Error = brief(fault.From(s.Err).Message, tellError)
		}
		a.Breakers = append(a.Breakers, b)
	}
	return a
}

func (r *Runner) executorNames() []string {
	names := make([]string, 0, len(r.o.Executors))
	for _, e := range r.o.Executors {
		names = append(names, e.Kind().Name)
	}
	return names
}

// follows names the executors that can follow what a resource prints.
func (r *Runner) follows() (names []string) {
	for _, e := range r.o.Executors {
		if _, ok := e.(executor.Follower); ok {
			names = append(names, e.Kind().Name)
		}
	}
	return names
}
