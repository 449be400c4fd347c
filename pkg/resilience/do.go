package resilience

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/eapache/go-resiliency/retrier"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Policy says how a call is made. The zero value tries until the context ends, with the default backoff and without
// a breaker. A Policy may be shared between goroutines.
type Policy struct {
	// Attempts in all, those that ended in Wait not counted; 0 tries until the context ends.
	Attempts int
	// Backoff after the first failure, doubled with each further one; 0 takes 100 ms.
	Backoff time.Duration
	// MaxBackoff bounds the backoff; 0 takes 30 s.
	MaxBackoff time.Duration
	// Deadline bounds one attempt through its context; 0 leaves it unbounded.
	Deadline time.Duration
	// Breaker, when not nil, guards the target of the call.
	Breaker *Breaker
}

const (
	defaultBackoff    = 100 * time.Millisecond
	defaultMaxBackoff = 30 * time.Second
	// jitter spreads those that failed together, so that they do not come back together.
	jitter = 0.25
	// doublings is more than lie between any backoff and any maximum; the last one is used for all that follow.
	doublings = 48
)

// Do calls work until it succeeds, its error says that trying again is of no use, the attempts are used up or ctx
// ends. The error is that of the last attempt; when ctx ended, errors.Is finds the reason of that too. Work runs in
// the caller's goroutine and has to heed its context.
func Do(ctx context.Context, p Policy, work func(context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return fault.From(err)
	}
	err := p.attempt(ctx, work)
	c := &counting{attempts: p.Attempts}
	if c.Classify(err) != retrier.Retry {
		return err
	}
	// The retrier is made only now: most calls succeed, and seeding its random numbers takes longer than a call may.
	first := true
	c.made = 0
	last := p.retrier(c).RunCtx(ctx, func(ctx context.Context) error {
		if first {
			first = false
			return err
		}
		err = p.attempt(ctx, work)
		return err
	})
	if last != nil && ctx.Err() != nil && !errors.Is(last, ctx.Err()) {
		return fmt.Errorf("%w (and no more attempts: %w)", last, ctx.Err())
	}
	return last
}

func (p Policy) retrier(c retrier.Classifier) *retrier.Retrier {
	first, most := p.Backoff, p.MaxBackoff
	if first <= 0 {
		first = defaultBackoff
	}
	if most <= 0 {
		most = defaultMaxBackoff
	}
	r := retrier.New(retrier.LimitedExponentialBackoff(doublings, first, most), c).WithInfiniteRetry().WithSurfaceWorkErrors()
	r.SetJitter(jitter)
	return r
}

// attempt bounds the call by its context and not by go-resiliency's deadline, which leaves a late call running
// behind the back of the next one.
func (p Policy) attempt(ctx context.Context, work func(context.Context) error) error {
	bounded := ctx
	if p.Deadline > 0 {
		var cancel context.CancelFunc
		bounded, cancel = context.WithTimeout(ctx, p.Deadline)
		defer cancel()
	}
	call := func() error {
		err := work(bounded)
		if err != nil && bounded.Err() != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
			return fault.Wrap(err, fault.Retry, fault.Timeout, "no answer within %s", p.Deadline)
		}
		return err
	}
	if p.Breaker != nil {
		return p.Breaker.Do(call)
	}
	return call()
}

// counting classifies by disposition and counts what counts as an attempt; it belongs to one Do.
type counting struct {
	attempts, made int
}

// Classify implements retrier.Classifier.
func (c *counting) Classify(err error) retrier.Action {
	if err == nil {
		return retrier.Succeed
	}
	switch fault.From(err).Disposition {
	case fault.Wait:
		return retrier.Retry
	case fault.Retry:
		if c.made++; c.attempts == 0 || c.made < c.attempts {
			return retrier.Retry
		}
	}
	return retrier.Fail
}
