package runner

import (
	"context"
	"errors"
	"time"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/resilience"
)

// run carries out a job and sends its result; it ends when the broker has confirmed that, or at the runner's end.
func (r *Runner) run(j *job) {
	defer r.release(j)
	stopAccept := r.acceptLater(j)
	if j.before != nil {
		<-j.before.worked
	}
	started := time.Now().UTC()
	result := r.work(j)
	j.saves.close()
	stopAccept()
	close(j.worked)
	result.TaskRef, result.Runner, result.StartedAt, result.FinishedAt = j.task.TaskRef, r.id, started, time.Now().UTC()
	r.finish(j, result)
}

// acceptLater announces work that is not over soon, and again until the broker has confirmed it. The function that
// is returned ends that: a result says all that an acceptance does.
func (r *Runner) acceptLater(j *job) (stop func()) {
	ctx, cancel := context.WithCancel(r.sending)
	over := make(chan struct{})
	timer := time.AfterFunc(acceptAfter, func() {
		defer close(over)
		m := r.about(j.task, j.cause, event.TaskAccepted,
			event.Accepted{TaskRef: j.task.TaskRef, Runner: r.id, StartedAt: j.began.UTC()})
		var at time.Time
		err := resilience.Do(ctx, persist, func(ctx context.Context) error {
			at = time.Now()
			return r.send(ctx, m)
		})
		if err == nil {
			r.heard([]*job{j}, at)
		} else if ctx.Err() == nil {
			r.log.Error("a task can't be accepted", "step", j.task.Step, "error", err)
		}
	})
	return func() {
		cancel()
		if !timer.Stop() {
			<-over
		}
	}
}

// finish sends the result until it is confirmed. One that the bus will never take is replaced by one that says so.
func (r *Runner) finish(j *job, result event.Result) {
	if result.Error != nil {
		result.Error = called(result.Error, j.task)
		r.log.Warn("task failed", "environment", j.task.Environment, "step", j.task.Step, "attempt", j.task.Attempt,
			"code", result.Error.Code, "error", result.Error.Message)
	}
	err := r.sendResult(j, result)
	if err == nil || r.sending.Err() != nil {
		return
	}
	r.log.Error("a result can't be sent as it is", "environment", j.task.Environment, "step", j.task.Step, "error", err)
	result.Outputs, result.Plan, result.Observation, result.SavedPlan = nil, nil, nil, ""
	result.Error = fault.New(fault.GiveUp, fault.ExecutorFailed,
		"the bus does not take the result of the step; what it says may be too large for a message")
	if err := r.sendResult(j, result); err != nil && r.sending.Err() == nil {
		r.log.Error("a result is lost", "environment", j.task.Environment, "step", j.task.Step, "error", err)
	}
}

func (r *Runner) sendResult(j *job, result event.Result) error {
	m := r.about(j.task, j.cause, event.TaskFinished, result)
	return resilience.Do(r.sending, persist, func(ctx context.Context) error { return r.send(ctx, m) })
}

// work does what the task says, within its time, and makes the result of what came of it.
func (r *Runner) work(j *job) event.Result {
	ctx := j.ctx
	if j.task.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, j.task.Timeout, fault.New(fault.Retry, fault.Timeout,
			"the work took longer than the %s it was given", j.task.Timeout))
		defer cancel()
	}
	w, err := r.open(j)
	if err == nil {
		err = context.Cause(ctx) // cancelled while it waited for the attempt before
	}
	if err != nil {
		return event.Result{Error: fault.From(err)}
	}
	outputs, err := w.do(ctx)
	w.lines.close()
	if err != nil {
		return w.failed(ctx, err)
	}
	sealed, err := w.seal(outputs)
	if err != nil {
		return event.Result{Error: w.verdict(context.Background(), err)}
	}
	return event.Result{Outputs: sealed, Plan: w.plan, Observation: w.observation, SavedPlan: w.saved, Unkept: w.unkept}
}

// failed is the result of work that came to nothing.
func (w *worker) failed(ctx context.Context, err error) event.Result {
	result := event.Result{Error: w.verdict(ctx, err)}
	var h *held
	if result.Error.Code == fault.BreakerOpen && errors.As(err, &h) {
		result.NotBefore = &h.until
	}
	return result
}

// verdict is the error as others may see it. That the work was cancelled or late explains whatever it said then.
func (w *worker) verdict(ctx context.Context, err error) *fault.Error {
	var why *fault.Error
	if ctx.Err() != nil && errors.As(context.Cause(ctx), &why) {
		w.log.Info("work ended by its context", "why", why.Code, "error", w.mask.text(err.Error()))
		err = why
	}
	var known *fault.Error
	if !errors.As(err, &known) {
		w.log.Error("an executor failed in a way of its own", "error", w.mask.text(err.Error()))
	}
	return w.mask.fault(fault.From(err))
}
