package runner

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

const (
	// looksToFall and looksToRise are how often in a row an endpoint has to be seen otherwise before that counts.
	looksToFall = 3
	looksToRise = 2
	// tellHealth bounds in bytes what is said of one.
	tellHealth = 300
	// reportWithin bounds the sending of a report; one that is lost is said again when the lease is renewed.
	reportWithin = 10 * time.Second
)

// trend is what was seen lately, where it differs from what was settled on.
type trend struct {
	settled, seen event.HealthStatus
	times         int
}

// take says whether the status has changed for good.
func (t *trend) take(seen event.HealthStatus) bool {
	switch {
	case seen == t.settled:
		t.times = 0
		return false
	case seen != t.seen || t.times == 0:
		t.seen, t.times = seen, 0
	}
	t.times++
	enough := looksToFall
	if seen == event.Healthy {
		enough = looksToRise
	}
	if t.times < enough {
		return false
	}
	t.settled, t.times = seen, 0
	return true
}

// suspects tells whether something may have changed.
func (t *trend) suspects() bool { return t.times > 0 }

// health watches an endpoint. The first look comes after a part of the interval that chance draws, so that a thousand
// watches that begin together do not go on together.
func (x *watcher) health(ctx context.Context) {
	p, err := x.of.runner.newProbe(x.watch.Endpoint)
	if err != nil {
		x.of.runner.log.Warn("an endpoint can't be watched", "environment", x.key.environment, "step", x.key.step, "error", err)
		return
	}
	t := trend{settled: x.watch.Known}
	wait := rand.N(x.of.every) //nolint:gosec // it spreads load
	for x.rest(ctx, wait) {
		status, detail := x.look(ctx, p, t.suspects())
		if ctx.Err() != nil {
			return
		}
		if t.take(status) {
			x.settle(ctx, status, detail)
		} else if status == t.settled {
			x.confirm(status)
		}
		wait = x.pace(p, &t, status)
	}
}

// pace is how long to wait before the next look: not at all where the server itself waits for news.
func (x *watcher) pace(p *probe, t *trend, status event.HealthStatus) time.Duration {
	every := x.of.every
	switch {
	case t.suspects():
		return every / suspectShare
	case p.prober != nil && p.mark != 0 && status != event.HealthUnknown:
		return every / 10
	}
	return every - every/10 + rand.N(every/5+1) //nolint:gosec // it spreads load
}

// rest waits, and tells the server meanwhile what it has not heard; false means that the watch is over.
func (x *watcher) rest(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		select {
		case <-x.again:
			x.report(ctx)
		case <-timer.C:
			return ctx.Err() == nil
		case <-ctx.Done():
			return false
		}
	}
}

// look asks once. Where the server waits for news, it is asked to, unless something has to be looked at again at once or
// too many wait already.
func (x *watcher) look(ctx context.Context, p *probe, at bool) (event.HealthStatus, string) {
	gate := x.of.looks
	if p.prober != nil && p.mark != 0 && !at {
		select {
		case x.of.waits <- struct{}{}:
			defer func() { <-x.of.waits }()
			return x.await(ctx, p)
		default:
		}
	}
	select {
	case gate <- struct{}{}:
		defer func() { <-gate }()
	case <-ctx.Done():
		return event.HealthUnknown, ""
	}
	p.mark = 0
	return x.asked(p, x.ask(ctx, p))
}

// await lets the server wait for news, and tells ours meanwhile what it has not heard.
func (x *watcher) await(ctx context.Context, p *probe) (event.HealthStatus, string) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answered := make(chan error, 1)
	x.of.runner.background.Go(func() { answered <- x.ask(ctx, p) })
	for {
		select {
		case <-x.again:
			x.report(ctx)
		case err := <-answered:
			return x.asked(p, err)
		}
	}
}

// ask is one probe; a panic is the prober's failure and not the runner's end.
func (x *watcher) ask(ctx context.Context, p *probe) (err error) {
	defer func() {
		if found := recover(); found != nil {
			x.of.runner.log.Error("a prober panicked", "endpoint", p.shown, "panic", fmt.Sprint(found), "stack", string(debug.Stack()))
			err = fault.New(fault.Wait, fault.Internal, "the runner can't ask it; its log has the details")
		}
	}()
	return p.ask(ctx)
}

// asked says what an answer means. Of an endpoint that the runner asks itself, no answer is an answer too; of one that
// somebody else knows about, nothing is known then.
func (*watcher) asked(p *probe, err error) (event.HealthStatus, string) {
	var unknown *fault.Error
	switch {
	case err == nil:
		return event.Healthy, ""
	case p.prober != nil && errors.As(err, &unknown):
		return event.HealthUnknown, brief(unknown.Message, tellHealth)
	}
	return event.Unhealthy, brief(fmt.Sprintf("%s: %s", p.shown, reason(err)), tellHealth)
}

// settle notes and tells what has changed.
func (x *watcher) settle(ctx context.Context, status event.HealthStatus, detail string) {
	x.of.mu.Lock()
	x.seen, x.why = status, detail
	x.of.mu.Unlock()
	x.of.runner.log.Info("an endpoint has changed", "environment", x.key.environment, "step", x.key.step, "health", status, "detail", detail)
	x.report(ctx)
}

// confirm notes that it is as the server knew it when the watch began.
func (x *watcher) confirm(status event.HealthStatus) {
	x.of.mu.Lock()
	defer x.of.mu.Unlock()
	if x.seen == "" {
		x.seen = status
	}
}

// report tells the owner of the partition once what was settled on; the renewal of the lease shows whether it came.
func (x *watcher) report(ctx context.Context) {
	x.of.mu.Lock()
	h := event.ResourceHealth{Environment: x.key.environment, Operation: x.key.operation, Step: x.key.step, Epoch: x.epoch,
		Status: x.seen, Detail: x.why, Runner: x.of.runner.id}
	x.of.mu.Unlock()
	h.Sequence = x.of.next()
	m := x.of.runner.toOwner(x.partition, x.epoch, x.key.environment, event.HealthReported, h)
	ctx, cancel := context.WithTimeout(ctx, reportWithin)
	defer cancel()
	if err := x.of.runner.send(ctx, m); err != nil && ctx.Err() == nil {
		x.of.runner.log.Debug("a report on an endpoint may not have arrived", "step", x.key.step, "error", err)
	}
}
