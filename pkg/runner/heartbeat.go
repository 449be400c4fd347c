package runner

import (
	"context"
	"time"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// beatAll keeps the leases, and looks four times as often for those that are lost.
func (r *Runner) beatAll() {
	last := time.Now()
	for {
		timer := time.NewTimer(r.heartbeatEvery() / 4)
		select {
		case <-timer.C:
		case <-r.living.Done():
			timer.Stop()
			return
		}
		r.cancelUnheard()
		r.cancelUngranted()
		r.watching.expire(time.Now())
		// Half a quarter of slack, or a timer that fires a moment early would cost a whole quarter.
		if every := r.heartbeatEvery(); time.Since(last) >= every-every/8 {
			last = time.Now()
			r.forgetOld()
			r.beatOnce(every)
		}
	}
}

// beatOnce sends one heartbeat a partition, without waiting for the broker: a slow confirm must not delay the next.
func (r *Runner) beatOnce(every time.Duration) {
	byPartition := map[int][]*job{}
	r.mu.Lock()
	for _, j := range r.jobs {
		byPartition[j.task.Partition] = append(byPartition[j.task.Partition], j)
	}
	r.mu.Unlock()
	for partition, jobs := range byPartition {
		r.background.Go(func() {
			// A confirm that comes late still counts as long as it can save the lease.
			ctx, cancel := context.WithTimeout(r.living, leaseBeats*every)
			defer cancel()
			at := time.Now()
			progress, of := r.progressOf(jobs)
			if err := r.send(ctx, r.heartbeat(partition, jobs, progress, every)); err != nil {
				r.log.Warn("a heartbeat is not confirmed", "partition", partition, "tasks", len(jobs), "error", err)
				return
			}
			r.heard(jobs, at)
			r.told(of)
		})
	}
}

func (r *Runner) heartbeat(partition int, jobs []*job, progress []event.TaskProgress, every time.Duration) bus.Message {
	h := event.Heartbeat{Runner: r.id, Pools: r.o.Pools, Time: time.Now().UTC(), Progress: progress}
	for _, j := range jobs {
		h.Tasks = append(h.Tasks, j.task.TaskRef)
	}
	epoch := r.epoch.Load()
	m := r.message(bus.Partition(partition), event.RunnerHeartbeat, event.Envelope{Partition: &partition, Epoch: &epoch}, h)
	m.Expires, m.Transient = 2*every, true
	return m
}

// heard notes that the server has what was sent at that time: the lease counts from the sending, not from the confirm.
func (r *Runner) heard(jobs []*job, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, j := range jobs {
		if at.After(j.heard) {
			j.heard = at
		}
	}
}

// cancelUnheard cancels what the server is about to give to somebody else. The lease has four heartbeats; the one
// that is left is for the work to end.
func (r *Runner) cancelUnheard() {
	limit := leaseBeats * r.heartbeatEvery()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, j := range r.jobs {
		if time.Since(j.heard) > limit && j.ctx.Err() == nil {
			r.log.Warn("the lease of a task is lost: no heartbeat was confirmed", "environment", j.task.Environment,
				"step", j.task.Step, "attempt", j.task.Attempt, "unheard", time.Since(j.heard))
			j.saves.lost.Store(true)
			j.cancel(fault.New(fault.Retry, fault.RunnerLost,
				"the runner could not be heard for %s, so that its lease was lost and the work was stopped", limit))
		}
	}
}
