package runner

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// intake takes the tasks of one pool.
type intake struct {
	runner *Runner
	pool   string
	// generation grows when what was delivered before will be delivered again to somebody.
	generation atomic.Uint64
}

func (in *intake) lost() { in.generation.Add(1) }

// take decides on one delivery: dead, refused, given back or begun. It blocks while no place is free, which holds
// back the rest of the queue for other runners.
func (in *intake) take(d bus.Delivery) {
	r, generation := in.runner, in.generation.Load()
	task, cause, err := readTask(d.Message().Body)
	if err != nil {
		e := fault.From(err)
		r.log.Warn("a task can't be read", "pool", in.pool, "id", d.Message().ID, "error", err)
		d.Dead(string(e.Code), e.Message)
		return
	}
	if r.nowhere(task) {
		r.log.Warn("a task is of a partition that the cluster does not have", "pool", in.pool, "partition", task.Partition)
		d.Dead(string(fault.Unreadable), "the cluster has no such partition, so nobody would hear of the task")
		return
	}
	if code, reason := r.refusal(task, d.Redelivered()); code != "" {
		if !r.ours(task) {
			r.refuse(task, cause, code, reason)
		}
		d.Ack()
		return
	}
	expired, ok := r.takePlace(task)
	switch {
	case expired:
		r.refuse(task, cause, Expired, expiredReason(task))
		d.Ack()
	case !ok:
		d.Requeue(0)
	case in.generation.Load() != generation:
		// The broker gives the task to somebody else by now; to begin it here would run it twice.
		<-r.slots
		d.Ack()
	default:
		in.begin(d, task, cause)
	}
}

// begin has a place and looks once more at what may have changed while it waited for it.
func (in *intake) begin(d bus.Delivery, task *event.Task, cause event.Envelope) {
	r := in.runner
	j, code, reason := r.register(task, cause)
	if j == nil {
		<-r.slots
		if code != "" {
			r.refuse(task, cause, code, reason)
		}
		d.Ack()
		return
	}
	d.Ack()
	r.background.Go(func() {
		defer func() { <-r.slots }()
		r.run(j)
	})
}

// takePlace waits for one of the places; expired says that the offer lapsed first, and not ok that the runner stops.
func (r *Runner) takePlace(task *event.Task) (expired, ok bool) {
	if r.taking.Err() != nil {
		return false, false
	}
	select {
	case r.slots <- struct{}{}:
		return false, true
	default:
	}
	if task.Unasked {
		return true, true
	}
	var lapsed <-chan time.Time
	if !task.AcceptBefore.IsZero() {
		timer := time.NewTimer(time.Until(task.AcceptBefore))
		defer timer.Stop()
		lapsed = timer.C
	}
	select {
	case r.slots <- struct{}{}:
		return false, true
	case <-lapsed:
		return true, false
	case <-r.taking.Done():
		return false, false
	}
}

func readTask(body []byte) (*event.Task, event.Envelope, error) {
	envelope, err := event.Decode(body)
	if err != nil {
		return nil, envelope, err
	}
	if envelope.Type != event.TypeOf(event.TaskOffered) {
		return nil, envelope, fault.New(fault.Reject, fault.Unreadable, "a message of type %q is no task", envelope.Type)
	}
	task := &event.Task{}
	// Fields that a newer server adds within a version are ignored, so that runners and servers may be updated apart.
	if err := json.Unmarshal(envelope.Data, task); err != nil {
		return nil, envelope, fault.Wrap(err, fault.Reject, fault.Unreadable, "the data of the message is no task")
	}
	if task.Environment == "" || task.Step == "" || task.Partition < 0 {
		return nil, envelope, fault.New(fault.Reject, fault.Unreadable, "the task does not say which environment, step and partition it is of")
	}
	return task, envelope, nil
}

// nowhere: nobody could ever take the task's result.
func (r *Runner) nowhere(task *event.Task) bool {
	w := r.welcome.Load()
	return w != nil && w.Partitions > 0 && task.Partition >= w.Partitions
}

// refusal tells why a task is not begun, "" when nothing speaks against it.
func (r *Runner) refusal(task *event.Task, redelivered bool) (fault.Code, string) {
	switch {
	case redelivered:
		return Redelivered, "it was delivered before, and may have been started"
	case lapsed(task):
		return Expired, expiredReason(task)
	}
	if c, ok := r.remembered(task.TaskRef); ok {
		return fault.Cancelled, c.reason
	}
	if !r.grant.allows(time.Now()) {
		return fault.AuthorityLost, "no server says that this side may still act"
	}
	if !r.raiseEpoch(task.Epoch) {
		return fault.StaleEpoch, fmt.Sprintf("it is of epoch %d, and epoch %d has been seen", task.Epoch, r.epoch.Load())
	}
	if task.Verb == event.Validate && task.Endpoint != nil && !r.asks(task.Endpoint) {
		return fault.ExecutorUnknown, fmt.Sprintf("runner %q can't ask the status endpoint %s", r.o.Name, schemeOf(task.Endpoint))
	}
	if task.Verb != event.Validate && r.executors[task.Executor] == nil {
		return fault.ExecutorUnknown, fmt.Sprintf("runner %q has no executor %q", r.o.Name, task.Executor)
	}
	return "", ""
}

func lapsed(task *event.Task) bool {
	return !task.AcceptBefore.IsZero() && !time.Now().Before(task.AcceptBefore)
}

func expiredReason(task *event.Task) string {
	return "its offer lapsed at " + task.AcceptBefore.UTC().Format(time.RFC3339Nano)
}

// refuse is not repeated when the broker does not confirm it: the server notices by the offer's deadline.
func (r *Runner) refuse(task *event.Task, cause event.Envelope, code fault.Code, reason string) {
	r.log.Info("task refused", "environment", task.Environment, "step", task.Step, "attempt", task.Attempt,
		"code", code, "reason", reason)
	m := r.about(task, cause, event.TaskRefused, event.Refused{TaskRef: task.TaskRef, Runner: r.id, Code: code, Reason: reason})
	// Bounded, because the intake waits for it while too much is unconfirmed.
	ctx, cancel := context.WithTimeout(r.sending, publishDeadline)
	done := func(err error) {
		cancel()
		if err != nil {
			r.log.Warn("a refusal may not have arrived", "step", task.Step, "error", err)
		}
	}
	if err := r.o.Bus.Send(ctx, m, done); err != nil {
		done(err)
	}
}
