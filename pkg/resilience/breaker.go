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
	// HalfOpen: calls are made again, and the next failure opens the breaker again.
	HalfOpen State = "half-open"
)

// Change is what happens to a breaker.
type Change struct {
	Target   string
	From, To State
	At       time.Time
	// Err is what the target last answered when the breaker opened; nil otherwise. It may hold more than users may see.
	Err error
}

// BreakerPolicy says when breakers open and close. The zero value takes 5 failures, 1 success and 30 s.
type BreakerPolicy struct {
	// Failures without CoolDown between them open the breaker.
	Failures int
	// Successes in a row close a half-open breaker.
	Successes int
	// CoolDown is how long an open breaker lets nothing through.
	CoolDown time.Duration
}

// Breakers holds one Breaker a target. It is safe for concurrent use.
type Breakers struct {
	policy   BreakerPolicy
	onChange func(Change)

	mu  sync.Mutex
	all map[string]*Breaker
}

// NewBreakers makes an empty set. onChange, when not nil, hears every change, one at a time for each target and in
// order; it has to return soon and may not call the breaker. That an open breaker became half-open is noticed by
// the next call, or by States.
func NewBreakers(p BreakerPolicy, onChange func(Change)) *Breakers {
	if p.Failures <= 0 {
		p.Failures = 5
	}
	if p.Successes <= 0 {
		p.Successes = 1
	}
	if p.CoolDown <= 0 {
		p.CoolDown = 30 * time.Second
	}
	if onChange == nil {
		onChange = func(Change) {}
	}
	return &Breakers{policy: p, onChange: onChange, all: map[string]*Breaker{}}
}

// For finds the breaker of a target and makes it when there is none.
func (b *Breakers) For(target string) *Breaker {
	b.mu.Lock()
	defer b.mu.Unlock()
	found := b.all[target]
	if found == nil {
		found = &Breaker{
			target: target, coolDown: b.policy.CoolDown, onChange: b.onChange, state: Closed,
			circuit: breaker.New(b.policy.Failures, b.policy.Successes, b.policy.CoolDown),
		}
		b.all[target] = found
	}
	return found
}

// States tells how every breaker stands, by target.
func (b *Breakers) States() map[string]State {
	b.mu.Lock()
	all := make([]*Breaker, 0, len(b.all))
	for _, one := range b.all {
		all = append(all, one)
	}
	b.mu.Unlock()
	states := make(map[string]State, len(all))
	for _, one := range all {
		states[one.target] = one.State()
	}
	return states
}

// Breaker is the circuit breaker of one target. While it is open, one goroutine of go-resiliency waits for the end
// of the cool-down. It is safe for concurrent use.
type Breaker struct {
	target   string
	coolDown time.Duration
	onChange func(Change)
	circuit  *breaker.Breaker

	mu    sync.Mutex
	state State
}

// Do makes the call unless the breaker is open; then the error is Unavailable with Wait. Only what the target is to
// blame for counts as a failure: errors with Retry or Wait that are not a cancel. A target that rejects is there.
func (b *Breaker) Do(call func() error) error {
	b.notice(nil)
	var result error
	err := b.circuit.Run(func() error {
		if result = call(); b.blames(result) {
			return result
		}
		return nil
	})
	if errors.Is(err, breaker.ErrBreakerOpen) {
		return fault.Wrap(err, fault.Wait, fault.Unavailable,
			"%s failed several times in a row; it is asked again after %s", b.target, b.coolDown)
	}
	b.notice(result)
	return result
}

func (b *Breaker) blames(err error) bool {
	e := fault.From(err)
	return e != nil && e.Code != fault.Cancelled && (e.Disposition == fault.Retry || e.Disposition == fault.Wait)
}

// State tells how the breaker stands.
func (b *Breaker) State() State { return b.notice(nil) }

func (b *Breaker) notice(cause error) State {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := map[breaker.State]State{breaker.Closed: Closed, breaker.Open: Open, breaker.HalfOpen: HalfOpen}[b.circuit.GetState()]
	if now == b.state {
		return now
	}
	change := Change{Target: b.target, From: b.state, To: now, At: time.Now()}
	if now == Open {
		change.Err = cause
	}
	b.state = now
	b.onChange(change)
	return now
}
