package resilience

import (
	"errors"
	"sync"
	"time"

	"github.com/eapache/go-resiliency/breaker"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// State is that of a circuit breaker.
type State string

const (
	// Closed: calls are made.
	Closed State = "closed"
	// Open: the target failed too often; calls fail at once with Wait.
	Open State = "open"
	// HalfOpen: one call is made, and what comes of it opens the breaker again or closes it.
	HalfOpen State = "half-open"
)

// Verdict is what the end of a call says of its target.
type Verdict int

const (
	// Answered: the target is there, whether or not it did what was asked.
	Answered Verdict = iota
	// Failed: the target is to blame.
	Failed
	// Unclear: the end says nothing of the target, as that of a call that was cancelled.
	Unclear
)

// Change is what happens to a breaker.
type Change struct {
	Target   string
	From, To State
	At       time.Time
	// Err is what the target last answered when the breaker opened; nil otherwise. It may hold more than users may see.
	Err error
}

// Breaker is the circuit breaker of one target. For CoolDown after it opened, one goroutine of go-resiliency waits for
// the end of that. It is safe for concurrent use.
type Breaker struct {
	target   string
	policy   BreakerPolicy
	onChange func(Change)

	mu      sync.Mutex
	circuit *breaker.Breaker
	state   State
	// period grows with each change: a call that was begun in an earlier one says nothing of the present.
	period   uint64
	since    time.Time // it closed, or the target stopped answering
	until    time.Time // no call before, unless closed
	failures int       // in a row, while closed
	calls    int       // under way
	last     error     // the last failure
}

func newBreaker(target string, p BreakerPolicy, onChange func(Change)) *Breaker {
	return &Breaker{
		target: target, policy: p, onChange: onChange, state: Closed, since: time.Now(),
		circuit: breaker.New(p.Failures, p.Successes, p.CoolDown),
	}
}

// Do makes the call unless the breaker holds it back; then the error is BreakerOpen with Wait.
func (b *Breaker) Do(call func() error) (err error) {
	done, err := b.Allow()
	if err != nil {
		return err
	}
	outcome := errUnclear // of a call that panics
	defer func() { done(outcome) }()
	err = call()
	outcome = err
	return err
}

// errUnclear stands for the end of a call that nobody saw.
var errUnclear error = fault.New(fault.Retry, fault.Cancelled, "the call did not come to an end")

// Allow asks whether a call may be made. Without an error the caller makes it and then calls done, once, with what
// came of it; the error is BreakerOpen with Wait. While the breaker is half-open one call is allowed, and another
// whenever that takes longer than the cool-down.
func (b *Breaker) Allow() (done func(error), err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	state, now := b.notice(nil), time.Now()
	if state == Open || state == HalfOpen && now.Before(b.until) {
		return nil, fault.Wrap(b.last, fault.Wait, fault.BreakerOpen,
			"%s has not answered since %s; it is asked again at %s", b.target, clock(b.since), clock(b.until))
	}
	if state == HalfOpen {
		b.until = now.Add(b.policy.CoolDown)
	}
	b.calls++
	period := b.period
	var once sync.Once
	return func(outcome error) { once.Do(func() { b.settle(period, outcome) }) }, nil
}

func clock(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// settle takes what came of a call that was allowed.
func (b *Breaker) settle(period uint64, outcome error) {
	verdict := b.policy.Judge(outcome)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls--
	if b.notice(nil); b.period != period {
		return
	}
	switch {
	case verdict == Unclear:
		if b.state == HalfOpen {
			b.until = time.Now() // the next one may try
		}
		return
	case verdict == Failed:
		b.failures++
		b.last = outcome
		b.count(outcome)
	case b.state == HalfOpen:
		b.until = time.Now()
		b.count(nil)
	case b.failures > 0:
		// go-resiliency forgets failures by time only; here a target that answers is there.
		b.failures = 0
		b.circuit = breaker.New(b.policy.Failures, b.policy.Successes, b.policy.CoolDown)
	}
	b.notice(outcome)
}

// count tells go-resiliency's breaker. Its error is the one it was given, or that it is open already.
func (b *Breaker) count(outcome error) {
	_ = b.circuit.Run(func() error { return outcome })
}

// Status tells how a breaker stands.
type Status struct {
	Target string
	State  State
	// Since is when the target stopped answering, or when the breaker closed.
	Since time.Time
	// Until is when the next call is made, unless the breaker is closed; it may be in the past.
	Until time.Time
	// Err is the last failure of the target, nil when closed. It may hold more than users may see.
	Err error
}

// Status tells how the breaker stands.
func (b *Breaker) Status() Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := Status{Target: b.target, State: b.notice(nil), Since: b.since}
	if s.State != Closed {
		s.Until, s.Err = b.until, b.last
	}
	return s
}

// State tells how the breaker stands.
func (b *Breaker) State() State { return b.Status().State }

// idle: there is nothing to remember of the target.
func (b *Breaker) idle() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.notice(nil) == Closed && b.failures == 0 && b.calls == 0
}

// notice sees what has become of go-resiliency's breaker; mu is held.
func (b *Breaker) notice(cause error) State {
	now := map[breaker.State]State{breaker.Closed: Closed, breaker.Open: Open, breaker.HalfOpen: HalfOpen}[b.circuit.GetState()]
	if now == b.state {
		return now
	}
	change := Change{Target: b.target, From: b.state, To: now, At: time.Now()}
	b.period++
	b.failures = 0
	switch now {
	case Open:
		change.Err = cause
		if b.state == Closed {
			b.since = change.At // one that opens again has not answered since then
		}
		b.until = change.At.Add(b.policy.CoolDown)
	case Closed:
		b.since, b.last = change.At, nil
	}
	b.state = now
	b.onChange(change)
	return now
}

// Judge is the verdict where a policy has none of its own: errors with Retry or Wait are the target's, unless the call
// was cancelled. A target that rejects is there.
func Judge(err error) Verdict {
	e := fault.From(err)
	switch {
	case e == nil:
		return Answered
	case e.Code == fault.Cancelled, errors.Is(err, errUnclear):
		return Unclear
	case e.Disposition == fault.Retry, e.Disposition == fault.Wait:
		return Failed
	}
	return Answered
}
