package runner

import (
	"sync"
	"time"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// grant is how long the runner may work: what its servers have said last. It is safe for concurrent use.
type grant struct {
	mu      sync.Mutex
	epoch   uint64
	bounded bool
	until   time.Time
}

// take takes a server's word, and tells whether work may go on.
func (g *grant) take(w event.Authority, runner string, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if w.Epoch > g.epoch {
		g.epoch, g.bounded, g.until = w.Epoch, false, time.Time{}
	}
	heard, known := w.Heard[runner]
	switch {
	case w.Unbounded:
		g.bounded = false
	case w.Left <= 0:
		g.bounded, g.until = true, now
	case known:
		if until := heard.Add(w.Left); !g.bounded || until.After(g.until) {
			g.bounded, g.until = true, until
		}
	case !g.bounded:
		g.bounded, g.until = true, now.Add(w.Left) // it was not heard yet, so it has been given nothing yet
	}
	return g.allowsAt(now)
}

func (g *grant) allows(now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.allowsAt(now)
}

func (g *grant) allowsAt(now time.Time) bool { return !g.bounded || now.Before(g.until) }

// authority takes a server's word that its side may act.
func (r *Runner) authority(w event.Authority) {
	before := r.epoch.Load()
	if !r.raiseEpoch(w.Epoch) {
		return
	}
	if w.Epoch > before {
		r.cancelOlder(w.Epoch)
	}
	if !r.grant.take(w, r.id, time.Now()) {
		r.cancelUngranted()
	}
}

// cancelOlder ends what was begun under an older epoch: another side has taken over, and sees to it.
func (r *Runner) cancelOlder(epoch uint64) {
	r.cancelWhere(func(j *job) bool { return j.task.Epoch < epoch },
		fault.New(fault.Retry, fault.RunnerLost, "another side has taken over under epoch %d, so that the work was stopped", epoch))
}

// cancelUngranted ends all work once nobody says any more that this side may act.
func (r *Runner) cancelUngranted() {
	if r.grant.allows(time.Now()) {
		return
	}
	r.cancelWhere(func(*job) bool { return true },
		fault.New(fault.Retry, fault.RunnerLost, "no server says that this side may still act: another one may have taken over, so that the work was stopped"))
}

func (r *Runner) cancelWhere(which func(*job) bool, why *fault.Error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, j := range r.jobs {
		if j.ctx.Err() == nil && which(j) {
			r.log.Warn("a task is stopped", "environment", j.task.Environment, "step", j.task.Step, "attempt", j.task.Attempt, "why", why.Message)
			j.saves.lost.Store(true)
			j.cancel(why)
		}
	}
}
