package runner

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// step is what runs at most once at a time.
type step struct{ environment, name string }

// attempt is what a cancel names. Partition and epoch are left out: an attempt is one whatever was said with it.
type attempt struct {
	step
	operation string
	number    int
}

type cancellation struct {
	reason string
	at     time.Time
}

func attemptOf(t event.TaskRef) attempt {
	return attempt{step: step{t.Environment, t.Step}, operation: t.Operation, number: t.Attempt}
}

// job is a task that was taken, until its result is confirmed.
type job struct {
	task   *event.Task
	cause  event.Envelope // the offer
	ctx    context.Context
	cancel context.CancelCauseFunc // with a *fault.Error, which becomes that of the result
	before *job                    // the older attempt that has to end first, nil for none
	worked chan struct{}           // closed when nothing is done for the task any more but sending
	began  time.Time
	// heard is when the server last heard of the task for certain, and told the progress that it knows; guarded by the
	// runner's mu.
	heard    time.Time
	told     *progress
	progress atomic.Pointer[progress] // the latest
	saves    *saves
}

// register makes a job of a task, under one lock with all that may speak against it. Without a job the code says
// why; "" then means that there is nothing to say.
func (r *Runner) register(task *event.Task, cause event.Envelope) (*job, fault.Code, string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if lapsed(task) {
		return nil, Expired, expiredReason(task)
	}
	if c, ok := r.recall(attemptOf(task.TaskRef)); ok {
		return nil, fault.Cancelled, c.reason
	}
	at := step{task.Environment, task.Step}
	older := r.jobs[at]
	if older != nil && older.task.Operation == task.Operation {
		switch {
		case older.task.Attempt == task.Attempt:
			return nil, "", "" // a copy of what runs here already
		case older.task.Attempt > task.Attempt:
			return nil, fault.Conflict, "a newer attempt of the step runs already"
		}
	}
	if older != nil && task.Unasked {
		return nil, fault.Busy, "something else is under way for the step"
	}
	j := &job{task: task, cause: cause, before: older, worked: make(chan struct{}), saves: newSaves(), began: time.Now(), heard: time.Now()}
	j.ctx, j.cancel = context.WithCancelCause(context.Background())
	if older != nil {
		older.saves.handed.Store(older.task.Operation == task.Operation && older.task.Attempt+1 == task.Attempt)
		older.saves.lost.Store(true)
		older.cancel(fault.New(fault.GiveUp, fault.Cancelled, "cancelled: a newer attempt of the step was offered"))
	}
	r.jobs[at] = j
	return j, "", ""
}

// release forgets a job, unless a newer attempt has taken its place.
func (r *Runner) release(j *job) {
	j.cancel(nil)
	r.mu.Lock()
	defer r.mu.Unlock()
	at := step{j.task.Environment, j.task.Step}
	if r.jobs[at] == j {
		delete(r.jobs, at)
	}
	r.idle.Broadcast()
}

// ours tells whether the task is one that runs here: a copy of it is no news to anybody.
func (r *Runner) ours(task *event.Task) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	j := r.jobs[step{task.Environment, task.Step}]
	return j != nil && attemptOf(j.task.TaskRef) == attemptOf(task.TaskRef)
}

// cancelTask cancels a task that runs here, and remembers the cancel of one that may still come.
func (r *Runner) cancelTask(c event.CancelTask) {
	reason := c.Reason
	if reason == "" {
		reason = "the server asked for it"
	}
	key := attemptOf(c.TaskRef)
	r.mu.Lock()
	defer r.mu.Unlock()
	if j := r.jobs[key.step]; j != nil && attemptOf(j.task.TaskRef) == key {
		r.log.Info("task cancelled", "environment", c.Environment, "step", c.Step, "attempt", c.Attempt, "reason", reason)
		j.cancel(fault.New(fault.GiveUp, fault.Cancelled, "cancelled: %s", reason))
		return
	}
	r.cancelled[key] = cancellation{reason: reason, at: time.Now()}
}

func (r *Runner) remembered(ref event.TaskRef) (cancellation, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.recall(attemptOf(ref))
}

// recall finds a cancel that came before its task; mu is held.
func (r *Runner) recall(key attempt) (cancellation, bool) {
	c, ok := r.cancelled[key]
	return c, ok && time.Since(c.at) < cancelMemory
}

// forgetOld drops the cancels whose tasks will not come any more.
func (r *Runner) forgetOld() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, c := range r.cancelled {
		if time.Since(c.at) >= cancelMemory {
			delete(r.cancelled, key)
		}
	}
}

func stoppedFault() *fault.Error {
	return fault.New(fault.Retry, fault.RunnerLost, "the runner was stopped before the work was over")
}

// cancelAll cancels what runs and counts it.
func (r *Runner) cancelAll(why *fault.Error) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, j := range r.jobs {
		j.cancel(why)
	}
	return len(r.jobs)
}

// running names the tasks that are not over, in order.
func (r *Runner) running() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	names := make([]string, 0, len(r.jobs))
	for at := range r.jobs {
		names = append(names, at.environment+"/"+at.name)
	}
	slices.SortFunc(names, strings.Compare)
	return names
}
