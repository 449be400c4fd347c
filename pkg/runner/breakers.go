package runner

import (
	"context"
	"fmt"
	"time"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/resilience"
)

// targetSeparator stands between executor and target in the name of a breaker; no kind has it in its name.
const targetSeparator = " "

// targetBytes bounds the name of a target.
const targetBytes = 256

// newBreakers makes the set that all tasks of the runner share.
func (r *Runner) newBreakers() *resilience.Breakers {
	policy := r.o.Breaker
	policy.Judge = judge
	return resilience.NewBreakers(policy, func(c resilience.Change) {
		switch c.To {
		case resilience.Open:
			r.log.Warn("a target does not answer: its tasks wait", "target", c.Target, "error", c.Err)
		default:
			r.log.Info("the circuit breaker of a target has changed", "target", c.Target, "from", c.From, "to", c.To)
		}
		r.tellNews()
	})
}

// judge tells what the end of a task says of its target.
func judge(err error) resilience.Verdict {
	e := fault.From(err)
	if e == nil {
		return resilience.Answered
	}
	switch e.Code {
	case fault.Cancelled, fault.RunnerLost, fault.BreakerOpen:
		return resilience.Unclear
	case fault.Unavailable:
		return resilience.Failed
	}
	switch {
	case e.Disposition == fault.Wait:
		return resilience.Failed
	case e.Code == fault.Timeout, e.Code == fault.Internal:
		return resilience.Unclear
	}
	return resilience.Answered
}

// guarded does the work unless the breaker of its target holds it back.
func (w *worker) guarded(ctx context.Context, request executor.Request, work func() error) error {
	target := w.target(request)
	if target == "" {
		return work()
	}
	b := w.runner.breakers.For(w.task.Executor + targetSeparator + target)
	done, err := b.Allow()
	if err != nil {
		return w.heldBack(target, b.Status(), err)
	}
	// What a panic leaves behind, and what an executor says once its context has ended, is no news of the target.
	var outcome error = fault.New(fault.Retry, fault.Cancelled, "the work did not come to its end")
	defer func() { done(outcome) }()
	err = work()
	if err == nil {
		outcome = nil
	} else if ctx.Err() == nil {
		outcome = w.mask.fault(fault.From(err)) // others will see it
	}
	return err
}

// target is what the executor says, fit to be seen by all.
func (w *worker) target(request executor.Request) string {
	t, ok := w.executor().(executor.Targeter)
	if !ok {
		return ""
	}
	return brief(w.mask.text(t.Target(request)), targetBytes)
}

// held is why a task was not run, and until when that will be so.
type held struct {
	cause error
	until time.Time
}

func (h *held) Error() string { return fmt.Sprintf("held back: %v", h.cause) }
func (h *held) Unwrap() error { return h.cause }

func (w *worker) heldBack(target string, s resilience.Status, cause error) error {
	now := time.Now()
	until, last := s.Until, ""
	if until.Before(now) {
		until = now // it has become free in this moment
	}
	if s.Err != nil {
		last = " (" + brief(fault.From(s.Err).Message, tellError) + ")"
	}
	return fault.Wrap(&held{cause: cause, until: until.UTC()}, fault.Wait, fault.BreakerOpen,
		"%s has not answered %s of runner %q since %s%s; it is tried again at %s, and the step waits: see that %s is up and can be reached from the runner",
		target, w.task.Executor, w.runner.o.Name, s.Since.UTC().Format(time.RFC3339), last, until.UTC().Format(time.RFC3339), target)
}
