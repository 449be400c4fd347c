package resilience

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// BreakerPolicy says when breakers open and close. The zero value takes 5 failures, 1 success and 30 s.
type BreakerPolicy struct {
	// Failures without an answer, and without CoolDown, between them open the breaker.
	Failures int
	// Successes in a row close a half-open breaker.
	Successes int
	// CoolDown is how long an open breaker lets nothing through.
	CoolDown time.Duration
	// Judge says what the end of a call says of its target; nil takes the function Judge.
	Judge func(error) Verdict
}

func (p BreakerPolicy) complete() BreakerPolicy {
	if p.Failures <= 0 {
		p.Failures = 5
	}
	if p.Successes <= 0 {
		p.Successes = 1
	}
	if p.CoolDown <= 0 {
		p.CoolDown = 30 * time.Second
	}
	if p.Judge == nil {
		p.Judge = Judge
	}
	return p
}

// manyBreakers is how many may be held before those that have nothing to remember are let go of.
const manyBreakers = 1000

// Breakers holds one Breaker a target. It is safe for concurrent use.
type Breakers struct {
	policy   BreakerPolicy
	onChange func(Change)

	mu    sync.Mutex
	all   map[string]*Breaker
	sweep int // how many there are when the idle ones are looked for
}

// NewBreakers makes an empty set. onChange, when not nil, hears every change, one at a time for each target and in
// order; it has to return soon and may not call the breaker. That an open breaker became half-open is noticed by
// the next call, or by States and Troubled.
func NewBreakers(p BreakerPolicy, onChange func(Change)) *Breakers {
	if onChange == nil {
		onChange = func(Change) {}
	}
	return &Breakers{policy: p.complete(), onChange: onChange, all: map[string]*Breaker{}, sweep: manyBreakers}
}

// For finds the breaker of a target and makes it when there is none. It is to be asked for anew with each call: of
// very many, those whose targets answer are let go of.
func (b *Breakers) For(target string) *Breaker {
	b.mu.Lock()
	defer b.mu.Unlock()
	found := b.all[target]
	if found == nil {
		b.forgetIdle()
		found = newBreaker(target, b.policy, b.onChange)
		b.all[target] = found
	}
	return found
}

// forgetIdle keeps the set from growing with every name that was ever used; mu is held.
func (b *Breakers) forgetIdle() {
	if len(b.all) < b.sweep {
		return
	}
	for target, one := range b.all {
		if one.idle() {
			delete(b.all, target)
		}
	}
	b.sweep = max(manyBreakers, 2*len(b.all))
}

// States tells how every breaker stands, by target.
func (b *Breakers) States() map[string]State {
	states := map[string]State{}
	for _, one := range b.list() {
		states[one.target] = one.State()
	}
	return states
}

// Troubled are the breakers that are not closed, by target.
func (b *Breakers) Troubled() []Status {
	var found []Status
	for _, one := range b.list() {
		if s := one.Status(); s.State != Closed {
			found = append(found, s)
		}
	}
	slices.SortFunc(found, func(a, b Status) int { return strings.Compare(a.Target, b.Target) })
	return found
}

func (b *Breakers) list() []*Breaker {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := make([]*Breaker, 0, len(b.all))
	for _, one := range b.all {
		all = append(all, one)
	}
	return all
}
