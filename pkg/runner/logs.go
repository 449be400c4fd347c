package runner

import (
	"context"
	"time"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/resilience"
)

// send publishes batch after batch, each confirmed before the next, until all is sent after close, or ctx ends.
func (l *lines) send(ctx context.Context) {
	defer close(l.over)
	first := l.first
	for l.due(ctx) {
		for batch := l.take(); len(batch) > 0; batch = l.take() {
			if !l.publish(ctx, first, batch) {
				return
			}
			first += len(batch)
		}
		if l.finished() {
			return
		}
	}
}

// due waits for a line and then for what else belongs into the batch; false means that ctx has ended.
func (l *lines) due(ctx context.Context) bool {
	select {
	case <-l.some:
	case <-ctx.Done():
		return false
	}
	timer := time.NewTimer(batchAfter)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.now:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

// publish tries until ctx ends; false means that it did. A batch that the bus will never take is skipped.
func (l *lines) publish(ctx context.Context, first int, batch []event.LogLine) bool {
	task := l.job.task
	m := l.runner.about(task, l.job.cause, event.TaskLogs, event.Logs{TaskRef: task.TaskRef, First: first, Lines: batch})
	m.To = bus.Address{Key: bus.Logs}
	err := resilience.Do(ctx, persist, func(ctx context.Context) error { return l.runner.send(ctx, m) })
	if err == nil {
		return true
	}
	l.runner.log.Warn("log lines are lost", "step", task.Step, "first", first, "lines", len(batch), "error", err)
	return ctx.Err() == nil
}

// finished tells whether nothing is left to come; what is held back is looked at again later.
func (l *lines) finished() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.pending) > 0 {
		signal(l.some)
		return false
	}
	return l.closed
}

// close takes no more lines and waits for those that are there to be sent, but not for long: the result matters more.
func (l *lines) close() {
	l.mu.Lock()
	l.closed = true
	for _, s := range l.streams {
		l.settleStream(s)
	}
	l.noteDropped(time.Now().UTC())
	cancel, over := l.cancel, l.over
	l.mu.Unlock()
	if cancel == nil {
		return
	}
	defer cancel()
	signal(l.now)
	signal(l.some)
	timer := time.NewTimer(flushWithin)
	defer timer.Stop()
	select {
	case <-over:
	case <-timer.C:
		cancel()
		<-over
	}
}
