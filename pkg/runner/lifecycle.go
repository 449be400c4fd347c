package runner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vivarium-env/vivarium/pkg/bus"
)

// closeWithin bounds the closing of what belongs to the broker, which may not answer any more.
const closeWithin = 5 * time.Second

// Start declares the pools' queues and begins to listen. With a Box tasks are taken when it returns; without one as
// soon as a server has sent it. A runner can be started once.
func (r *Runner) Start(ctx context.Context) error {
	r.lifecycle.Lock()
	defer r.lifecycle.Unlock()
	if r.started || r.stopped {
		return errors.New("a runner can be started only once")
	}
	if err := r.o.Bus.Declare(ctx, bus.Topology{Pools: r.o.Pools}); err != nil {
		return fmt.Errorf("declare the queues of the pools: %w", err)
	}
	topics := []bus.Address{topicRollCall, {Exchange: bus.Control, Key: bus.RunnerTopic(r.o.Name)}}
	for _, pool := range r.o.Pools {
		topics = append(topics, bus.Address{Exchange: bus.Control, Key: "pool." + pool})
	}
	listener, err := r.o.Bus.Listen(ctx, topics, r.control)
	if err != nil {
		return fmt.Errorf("listen for the servers: %w", err)
	}
	r.listener = listener
	if r.Box() != nil {
		if err := r.consume(ctx); err != nil {
			return errors.Join(err, r.abandon(ctx))
		}
	}
	r.started = true
	r.background.Go(r.announce)
	r.background.Go(r.tellAlive)
	r.background.Go(r.beatAll)
	return nil
}

// abandon takes back a start that failed half-way, so that a later Start may succeed.
func (r *Runner) abandon(ctx context.Context) error {
	err := r.stopConsumers(ctx)
	r.mu.Lock()
	r.consumers = nil
	r.mu.Unlock()
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeWithin)
	defer cancel()
	return errors.Join(err, r.listener.Stop(closing))
}

// consume begins to take the tasks of those pools that it does not take from yet.
func (r *Runner) consume(ctx context.Context) error {
	for i := r.consuming(); i < len(r.o.Pools); i++ {
		in := &intake{runner: r, pool: r.o.Pools[i]}
		subscription, err := r.o.Bus.Consume(ctx, bus.ConsumeOptions{
			Queue: bus.Tasks(in.pool), Prefetch: r.o.Concurrency, Lost: in.lost,
		}, in.take)
		if err != nil {
			return fmt.Errorf("take the tasks of pool %q: %w", in.pool, err)
		}
		if !r.keep(subscription) {
			closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeWithin)
			defer cancel()
			return errors.Join(context.Canceled, subscription.Stop(closing))
		}
	}
	return nil
}

// keep leaves a subscription to Stop, unless Stop has already looked for them.
func (r *Runner) keep(s bus.Subscription) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.taking.Err() != nil {
		return false
	}
	r.consumers = append(r.consumers, s)
	return true
}

func (r *Runner) consuming() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.consumers)
}

// Stop says that the runner is leaving, takes no new tasks, waits for those that run until ctx ends, cancels the rest, and returns once their results
// are sent, at the latest when Options.Grace is over too. Heartbeats go on meanwhile. The error says how many tasks
// were cancelled, and which would not end.
func (r *Runner) Stop(ctx context.Context) error {
	r.lifecycle.Lock()
	defer r.lifecycle.Unlock()
	if r.stopped {
		return nil
	}
	r.stopped = true
	r.stopTaking()
	defer r.stopLiving()
	defer r.stopSending()
	if !r.started {
		return nil
	}
	r.sayLeaving(ctx)
	all := r.stopConsumers(ctx)
	all = errors.Join(all, r.drain(ctx))
	r.stopLiving()
	r.stopSending()
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeWithin)
	defer cancel()
	r.waitBackground(closing)
	return errors.Join(all, r.listener.Stop(closing))
}

// waitBackground is bounded for the sake of an executor that heeds no context.
func (r *Runner) waitBackground(ctx context.Context) {
	over := make(chan struct{})
	go func() {
		r.background.Wait()
		close(over)
	}()
	select {
	case <-over:
	case <-ctx.Done():
	}
}

func (r *Runner) stopConsumers(ctx context.Context) error {
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeWithin)
	defer cancel()
	r.mu.Lock()
	consumers := r.consumers
	r.mu.Unlock()
	var all error
	for _, one := range consumers {
		all = errors.Join(all, one.Stop(closing))
	}
	return all
}

// drain is the second half of stopping: wait, cancel, wait again, and at last give up.
func (r *Runner) drain(ctx context.Context) error {
	if r.waitIdle(ctx) {
		return nil
	}
	cut := r.cancelAll(stoppedFault())
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.o.Grace)
	defer cancel()
	if r.waitIdle(grace) {
		return fmt.Errorf("%d tasks had to be cancelled", cut)
	}
	// Those that only wait for the broker end with this; an executor that heeds no context does not.
	lost := r.running()
	r.stopSending()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeWithin)
	defer cancel()
	r.waitIdle(last)
	return fmt.Errorf("%d tasks had to be cancelled; without a result: %v", cut, lost)
}

// waitIdle waits until nothing runs; false means that ctx ended before.
func (r *Runner) waitIdle(ctx context.Context) bool {
	defer context.AfterFunc(ctx, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.idle.Broadcast()
	})()
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.jobs) > 0 && ctx.Err() == nil {
		r.idle.Wait()
	}
	return len(r.jobs) == 0
}
