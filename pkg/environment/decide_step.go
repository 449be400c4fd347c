package environment

import (
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

func operationID(n int) string { return "op-" + strconv.Itoa(n) }

// fill offers steps while the environment's limit leaves room and somebody is there to take them: first those whose
// backoff has passed.
func (c *decision) fill() {
	o := c.s.Operation
	if o.Paused {
		return
	}
	held := map[string]bool{}
	for at := 0; at < len(o.Delayed) && len(o.Flight) < o.Parallelism; {
		if i := o.Delayed[at]; c.s.Nodes[i].NotBefore.After(c.now) || c.hold(i, held) {
			at++
		} else {
			c.offer(i) // takes it out of Delayed
		}
	}
	for at := 0; at < len(o.Ready) && len(o.Flight) < o.Parallelism; {
		if c.hold(o.Ready[at], held) {
			at++
		} else {
			c.offer(o.Ready[at]) // takes it out of Ready
		}
	}
	c.letGo(held)
}

// hold tells whether a step has to wait for its pool, and says so once for all steps that wait for the same.
func (c *decision) hold(i int, held map[string]bool) bool {
	n := c.s.Nodes[i]
	if c.s.paused(n) != nil || c.idles(n) {
		return true
	}
	if n.Verb == event.Destruct && n.Retain {
		return false // nobody is needed for that
	}
	if c.lacking(n, held) || c.awaits(n, held) {
		return true
	}
	if n.passes() {
		return false // no runner is needed
	}
	key := n.holdKey()
	if held[key] {
		return true
	}
	reason := c.poolReason(n.PoolName(), n.ability(), true)
	if reason == nil {
		return false
	}
	held[key] = true
	if known, ok := c.s.Operation.Holds[key]; !ok || known.Reason.Code != reason.Code {
		c.emit(Held{Operation: c.s.Operation.ID, Pool: n.PoolName(), Executor: n.ability(), Reason: reason})
	}
	return true
}

// letGo ends the holds whose reason has passed.
func (c *decision) letGo(held map[string]bool) {
	for _, key := range slices.Sorted(maps.Keys(c.s.Operation.Holds)) {
		h := c.s.Operation.Holds[key]
		if !held[key] && c.free(h) {
			h.Reason = nil
			c.emit(h)
		}
	}
}

func (c *decision) free(h Held) bool {
	if h.Templates {
		return c.lackingKinds() == nil
	}
	if of := h.of(); of.Environment != "" {
		return c.supply(of).reason(of) == nil
	}
	return c.poolReason(h.Pool, h.Executor, false) == nil
}

// poolReason says why a pool can't take a step now, nil when it can or nothing is known of it.
func (c *decision) poolReason(pool, executor string, limit bool) *Reason {
	if c.Hold != nil {
		return c.Hold
	}
	if c.Pool == nil {
		return nil
	}
	p := c.Pool(pool, executor)
	switch {
	case p.Runners == 0:
		return &Reason{Code: BecauseNoRunner, Detail: c.noRunner(pool, executor)}
	case p.Open != nil && p.Open.Until.After(c.now):
		return &Reason{Code: BecauseBreaker, Detail: fmt.Sprintf("%s does not answer; it is tried again when the breaker lets one through", p.Open.Target), Until: &p.Open.Until}
	case limit && c.offered(pool) >= 2*max(p.Concurrency, 1):
		return &Reason{Code: BecausePoolLimit, Detail: fmt.Sprintf("the runners of pool %q have their hands full: %d tasks at once", pool, p.Concurrency)}
	}
	return nil
}

// offered counts the environment's steps that wait for a runner of the pool.
func (c *decision) offered(pool string) int {
	count := 0
	for _, i := range c.s.Operation.Flight {
		if n := c.s.Nodes[i]; n.State == StateWaiting && n.PoolName() == pool {
			count++
		}
	}
	return count
}

func (c *decision) offer(i int) {
	if c.clarify(i) || c.idles(c.s.Nodes[i]) {
		return
	}
	n := c.s.Nodes[i]
	w := StepWaiting{Operation: c.s.Operation.ID, Step: n.Address, Verb: n.Verb, Attempt: n.Attempt + 1,
		AcceptBefore: c.now.Add(c.AcceptWithin)}
	consumed, missing := c.supplied(n)
	switch {
	case missing != nil:
		c.fail(i, "", missing)
		return
	case n.passes():
		c.emit(StepComplete{Operation: w.Operation, Step: n.Address, StartedAt: c.now, FinishedAt: c.now, Consumed: consumed})
		return
	}
	w.Consumed = consumed
	var err error
	switch n.Verb {
	case event.Destruct:
		if n.Retain {
			c.emit(StepRetained{Operation: w.Operation, Step: n.Address})
			return
		}
	case event.Apply:
		var in Inputs
		in, err = c.inputs(n)
		if err == nil && n.Parting == nil && n.same(in) {
			c.emit(StepUnchanged{Operation: w.Operation, Step: n.Address, Consumed: consumed})
			return
		}
		w.Inputs, w.Fingerprint = in.Data, in.Fingerprint
		if err == nil {
			err = c.asPlanned(n, &w)
		}
	case event.Validate:
		w.Endpoint, err = c.Resolver.Endpoint(n.Address, c.s.OutputsOf)
	}
	if err == nil && n.StateHash != "" && w.Verb != event.Validate && c.State != nil {
		err = c.State(n.ID(), n.StateHash)
	}
	if err != nil {
		c.fail(i, "", fault.From(err))
		return
	}
	c.emit(w)
}

// current finds the step that a message is about, nil when the message is of an older attempt, operation or epoch.
func (c *decision) current(ref event.TaskRef) (int, *Step) {
	i, ok := c.s.index[ref.Step]
	if !ok || !c.s.Busy() || ref.Operation != c.s.Operation.ID || ref.Epoch < c.s.Epoch {
		return 0, nil
	}
	n := c.s.Nodes[i]
	if n.Attempt != ref.Attempt || (n.State != StateWaiting && n.State != StateRunning) {
		return 0, nil
	}
	return i, n
}

func (c *decision) accepted(in AcceptedInput) {
	_, n := c.current(in.TaskRef)
	if n == nil || n.State == StateRunning {
		return
	}
	c.emit(StepRunning{Operation: in.Operation, Step: in.Step, Attempt: in.Attempt, Runner: in.Runner, StartedAt: in.StartedAt})
	n.leaseUntil = c.now.Add(c.Lease)
}

// heartbeat keeps a lease; it also is an acceptance where that was lost on its way.
func (c *decision) heartbeat(in HeartbeatInput) {
	_, n := c.current(in.TaskRef)
	if n == nil {
		return
	}
	if n.State == StateWaiting {
		c.accepted(AcceptedInput{event.Accepted{TaskRef: in.TaskRef, Runner: in.Runner, StartedAt: c.now}})
	}
	if n.Runner != in.Runner {
		return
	}
	n.leaseUntil = c.now.Add(c.Lease)
	if in.Progress != nil && (n.Progress == nil || *n.Progress != *in.Progress) {
		c.emit(StepProgress{Operation: in.Operation, Step: in.Step, Attempt: in.Attempt, Progress: *in.Progress})
	}
}

func (c *decision) refused(in RefusedInput) {
	i, n := c.current(in.TaskRef)
	if n == nil || n.State == StateRunning {
		return
	}
	switch in.Code {
	case fault.Cancelled, fault.ExecutorUnknown, fault.StaleEpoch:
		// Nobody has begun it, and nobody else has a copy.
		c.lose(i, CauseRefused, fault.New(fault.Retry, in.Code, "runner %s did not start it: %s", in.Runner, in.Reason))
	default:
		// It had been delivered before, or came too late: somebody else may have begun it and not been heard yet.
		n.leaseUntil = c.now.Add(c.RefusalGrace)
	}
}

func (c *decision) result(in ResultInput) {
	i, n := c.current(in.TaskRef)
	if n == nil || (n.State == StateRunning && n.Runner != in.Runner) {
		c.refuse(in)
		return
	}
	if in.Error == nil && n.Looking {
		c.looked(i, in)
		return
	}
	if in.Error == nil {
		switch n.Verb {
		case event.Observe:
			c.observed(n, in)
		case event.Propose:
			if c.s.Operation.Kind != PlanOperation {
				c.toldAnew(i, in)
				return
			}
			c.proposes(in)
		}
		c.emit(StepComplete{Operation: in.Operation, Step: in.Step, Attempt: in.Attempt, Runner: in.Runner,
			StartedAt: in.StartedAt, FinishedAt: in.FinishedAt, Outputs: in.Outputs})
		return
	}
	switch cancelling := c.s.Operation.Status == OperationCancelling; {
	case in.Error.Code == fault.RunnerLost:
		c.lose(i, CauseLost, in.Error) // it had to let go of its work
		return
	case in.Error.Code == fault.BreakerOpen && !cancelling:
		c.requeue(i, CauseUnavailable, c.untilOpen(in), in.Error)
		return
	}
	retry := in.Error.Disposition == fault.Retry || in.Error.Disposition == fault.Wait
	attempts, backoff, most := c.retryPolicy(n)
	if !retry || n.Failures+1 >= attempts || c.s.Operation.Status == OperationCancelling {
		c.fail(i, in.Runner, in.Error)
		return
	}
	c.requeue(i, CauseFailed, jitter(min(backoff<<min(n.Failures, 20), most), c.s.Name, n), in.Error)
}

// jitter makes a backoff up to a quarter longer, so that steps that failed together are not tried again together (M.
// Brooker, "Exponential Backoff And Jitter", 2015). It is drawn from the step and its attempt: the decider has no dice.
func jitter(d time.Duration, environment string, n *Step) time.Duration {
	h := fnv.New32a()
	_, _ = fmt.Fprintf(h, "%s/%s/%d", environment, n.Address, n.Attempt)
	return d + d/4*time.Duration(h.Sum32()%1024)/1024
}

// untilOpen is how long a breaker that the runner has open keeps it from trying.
func (c *decision) untilOpen(in ResultInput) time.Duration {
	if in.NotBefore != nil && in.NotBefore.After(c.now) {
		return min(in.NotBefore.Sub(c.now), c.MaxBackoff)
	}
	return c.Backoff
}

// maxRefusals bounds how many refusals of one operation are recorded.
const maxRefusals = 100

// refuse records a result that nobody waits for any more.
func (c *decision) refuse(in ResultInput) {
	if o := c.s.Operation; o != nil && o.Refusals < maxRefusals {
		c.emit(TaskRefused{Operation: in.Operation, Step: in.Step, Attempt: in.Attempt, Runner: in.Runner, Epoch: in.Epoch})
	}
}

func (c *decision) retryPolicy(n *Step) (attempts int, backoff, most time.Duration) {
	attempts, backoff, most = c.Attempts, c.Backoff, c.MaxBackoff
	if n.Type == ActionNode || n.Verb == event.Validate {
		attempts = 1
	}
	if n.Retry == nil {
		return attempts, backoff, most
	}
	if n.Retry.Attempts > 0 {
		attempts = n.Retry.Attempts
	}
	if n.Retry.Backoff > 0 {
		backoff = n.Retry.Backoff
	}
	if n.Retry.MaxBackoff > 0 {
		most = n.Retry.MaxBackoff
	}
	return attempts, backoff, max(most, backoff)
}

func (c *decision) requeue(i int, cause QueueCause, wait time.Duration, err *fault.Error) {
	n := c.s.Nodes[i]
	q := StepQueued{Operation: c.s.Operation.ID, Step: n.Address, Attempt: n.Attempt, Cause: cause, Error: err}
	if wait > 0 {
		until := c.now.Add(wait)
		q.NotBefore = &until
	}
	c.emit(q)
}

// lose gives a step back whose attempt nobody finished, until there were too many of them. That nobody was there to take
// it is no failure, however often.
func (c *decision) lose(i int, cause QueueCause, err *fault.Error) {
	n := c.s.Nodes[i]
	switch {
	case c.s.Operation.Status == OperationCancelling && n.State == StateRunning:
		c.fail(i, n.Runner, err)
	case c.s.Operation.Status == OperationCancelling:
		c.emit(StepSkipped{Operation: c.s.Operation.ID, Step: n.Address})
	case cause == CauseLapsed:
		c.requeue(i, cause, 0, err)
	case n.Losses+1 >= c.MaxLosses:
		c.fail(i, n.Runner, err)
	default:
		c.requeue(i, cause, min(c.Backoff<<min(n.Losses, 20), c.MaxBackoff), err)
	}
}

// fail ends a step, and what waits for it.
func (c *decision) fail(i int, runner string, err *fault.Error) {
	s, o, n := c.s, c.s.Operation, c.s.Nodes[i]
	if n.Looking {
		c.undecided(i, nil, "looking at it failed: "+err.Message)
		return
	}
	first := o.Error == nil
	c.emit(StepError{Operation: o.ID, Step: n.Address, Attempt: n.Attempt, Runner: runner, Error: err})
	if !o.Validating && !o.Force {
		c.skipAfter(i)
	}
	if first && o.FailFast && o.Status == OperationRunning {
		c.stop(Cancelling{Operation: o.ID, Reason: "stopped at the first failure, as asked: " + s.Nodes[i].Address + " failed"})
	}
}

// skipAfter skips all that can't run since step i has failed, through nodes that take no part.
func (c *decision) skipAfter(failed int) {
	s := c.s
	seen := map[int]bool{failed: true}
	stack := []int{failed}
	for len(stack) > 0 {
		i := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		for _, d := range s.after(i) {
			if seen[d] {
				continue
			}
			seen[d] = true
			stack = append(stack, d)
			if s.Nodes[d].State == StateBlocked {
				c.emit(StepSkipped{Operation: s.Operation.ID, Step: s.Nodes[d].Address, Because: s.Nodes[failed].Address})
			}
		}
	}
}

func (c *decision) runnerStarted(in RunnerStartedInput) {
	c.sweep(func(n *Step) (QueueCause, bool) {
		return CauseLost, n.State == StateRunning && n.Runner != in.Runner && strings.HasPrefix(n.Runner, in.Name+"/")
	})
}

// tick finds offers that have lapsed and leases that have run out.
func (c *decision) tick() {
	c.sweep(func(n *Step) (QueueCause, bool) {
		if n.State == StateWaiting {
			refused := !n.leaseUntil.IsZero() && n.leaseUntil.Before(c.now)
			return CauseLapsed, refused || n.AcceptBefore.Add(c.LapseMargin).Before(c.now)
		}
		if n.leaseUntil.IsZero() {
			n.leaseUntil = c.now.Add(c.Lease) // loaded after a restart: its runner may be heard yet
		}
		return CauseLost, n.leaseUntil.Before(c.now)
	})
	c.expire()
}

func (c *decision) sweep(gone func(*Step) (QueueCause, bool)) {
	if !c.s.Busy() {
		return
	}
	for _, i := range append([]int(nil), c.s.Operation.Flight...) {
		n := c.s.Nodes[i]
		if cause, ok := gone(n); ok {
			c.lose(i, cause, c.lossError(n, cause))
		}
	}
}

// expire fails what has waited for a runner for longer than it may.
func (c *decision) expire() {
	if !c.s.Busy() || c.s.Operation.Paused {
		return
	}
	o := c.s.Operation
	for _, i := range slices.Concat(o.Ready, o.Delayed) {
		if n := c.s.Nodes[i]; n.Expiry > 0 && n.State == StateQueued && c.s.awaited(n) == nil && c.s.paused(n) == nil && n.QueuedAt.Add(n.Expiry).Before(c.now) {
			c.fail(i, "", fault.New(fault.GiveUp, fault.Expired, "it waited for longer than %s, which is as long as it may", n.Expiry))
		}
	}
}

func (c *decision) lossError(n *Step, cause QueueCause) *fault.Error {
	if cause == CauseLapsed {
		return fault.New(fault.Wait, fault.Unavailable, "no runner of pool %q took it within %s: start one with that pool, or wait until one is free", n.PoolName(), c.AcceptWithin)
	}
	return fault.New(fault.Retry, fault.RunnerLost, "runner %s is not heard any more", n.Runner)
}
