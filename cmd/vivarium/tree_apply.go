package main

import (
	"fmt"
	"time"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// apply brings the tree forward by one journal entry, and returns the step that changed, if it was one. Entries may
// come that the tree has already taken in; they change nothing for the worse, since what follows them comes too.
func (t *tree) apply(e store.Entry) (*leaf, error) {
	body, err := environment.DecodeBody(e.Type, e.Data)
	if err != nil {
		return nil, err
	}
	switch b := body.(type) {
	case environment.StepWaiting:
		return t.step(b.Step, environment.StateWaiting, func(l *leaf) {
			l.verb, l.attempt, l.started, l.finished = b.Verb, b.Attempt, e.Time, time.Time{}
		}), nil
	case environment.StepRunning:
		return t.step(b.Step, environment.StateRunning, func(l *leaf) { l.attempt, l.started = b.Attempt, b.StartedAt }), nil
	case environment.StepComplete:
		return t.step(b.Step, environment.StateComplete, func(l *leaf) {
			l.attempt, l.started, l.finished = b.Attempt, b.StartedAt, b.FinishedAt
		}), nil
	case environment.StepQueued:
		return t.step(b.Step, environment.StateQueued, func(l *leaf) { l.attempt, l.note = b.Attempt, queueNote(b) }), nil
	case environment.StepError:
		return t.step(b.Step, environment.StateError, func(l *leaf) {
			l.attempt, l.finished = b.Attempt, e.Time
			if b.Error != nil {
				l.note = b.Error.Message
			}
		}), nil
	case environment.StepSkipped:
		return t.step(b.Step, environment.StateSkipped, func(l *leaf) { l.note = skipNote(b) }), nil
	case environment.ResourceHealth:
		t.healthOf(b)
		return nil, nil
	case environment.StepProgress:
		t.step(b.Step, environment.StateRunning, func(l *leaf) { l.progress = &b.Progress })
		return nil, nil // not worth a line of its own
	case environment.StepUnchanged:
		return t.step(b.Step, environment.StateComplete, func(l *leaf) { l.note = "unchanged" }), nil
	case environment.StepDoubted:
		return t.step(b.Step, environment.StateQueued, func(l *leaf) { l.note = "was in flight when its side was lost: it is looked at first" }), nil
	case environment.StepUncertain:
		return t.step(b.Step, environment.StateUncertain, func(l *leaf) { l.note = b.Detail }), nil
	case environment.StepSettled:
		return t.step(b.Step, environment.StateQueued, func(l *leaf) { l.note = "settled: " + string(b.Verdict) }), nil
	default:
		t.whole(body, e.Time)
		return nil, nil
	}
}

func (t *tree) step(address string, state environment.StepState, change func(*leaf)) *leaf {
	l, ok := t.leaves[address]
	if !ok {
		t.stale = t.stale || t.status != environment.Planning // steps of a plan may be of what is not there yet
		return nil
	}
	l.state, l.note, l.progress = state, "", nil
	change(l)
	return l
}

// healthOf takes that an endpoint has changed.
func (t *tree) healthOf(b environment.ResourceHealth) {
	l, ok := t.leaves[b.Step]
	if !ok {
		t.stale = true
		return
	}
	l.health = &environment.EndpointHealth{Status: b.Status, Detail: b.Detail, Since: b.Since}
	t.news = fmt.Sprintf("%-10s %s is %s", "health", t.label(l), b.Status)
	if b.Detail != "" {
		t.news += ": " + cut(b.Detail, 400)
	}
}

// whole takes what happens to the environment as a whole.
func (t *tree) whole(body environment.Body, at time.Time) {
	switch b := body.(type) {
	case environment.Created:
		t.status, t.current, t.since, t.until, t.stale = environment.Pending, b.Operation, at, time.Time{}, true
	case environment.StatusDeploying:
		t.status = environment.Deploying
	case environment.StatusValidating:
		t.status = environment.Validating
	case environment.StatusDeployed:
		t.status = environment.Deployed
	case environment.StatusFailed:
		t.status = environment.Failed
	case environment.StatusDestroying:
		t.status, t.current, t.since, t.until, t.stale = environment.Destroying, b.Operation, at, time.Time{}, true
	case environment.Updated:
		t.status, t.current, t.since, t.until, t.stale = environment.Deploying, b.Operation, at, time.Time{}, true
	case environment.StatusRetrying:
		t.status, t.current, t.since, t.until, t.stale = environment.Deploying, b.Operation, at, time.Time{}, true
	case environment.StatusRunning:
		t.status, t.current, t.since, t.until, t.stale = environment.Running, b.Operation, at, time.Time{}, true
	case environment.StatusChecking:
		t.status, t.current, t.since, t.until, t.stale = environment.Checking, b.Operation, at, time.Time{}, true
	case environment.StatusPlanning:
		t.status, t.current, t.since, t.until, t.stale = environment.Planning, b.Operation, at, time.Time{}, true
	case environment.AwaitingApproval:
		t.status, t.stale = environment.StatusAwaitingApproval, true
	case environment.StatusPlanned:
		t.stale = true // it is what it was
	case environment.Paused:
		t.pause(true, b.Reason)
	case environment.Resumed:
		t.pause(false, "")
	case environment.Held:
		t.hold(b)
	case environment.StatusDestroyed:
		t.status = environment.Destroyed
	case environment.StatusDestroyFailed:
		t.status = environment.DestroyFailed
	case environment.Finished:
		t.until, t.paused, t.holds = at, false, nil
	}
}

func queueNote(b environment.StepQueued) string {
	note := map[environment.QueueCause]string{
		environment.CauseFailed:  "failed, will be tried again",
		environment.CauseLapsed:  "no runner has taken it yet",
		environment.CauseRefused: "the runner did not start it",
		environment.CauseLost:    "the runner is not heard any more",

		environment.CauseUnavailable: "what it talks to does not answer, will be tried again",
	}[b.Cause]
	if b.Error != nil {
		note = fmt.Sprintf("%s: %s", note, b.Error.Message)
	}
	return note
}

func skipNote(b environment.StepSkipped) string {
	if b.Because != "" {
		return b.Because + " failed"
	}
	return "the operation was cancelled"
}
