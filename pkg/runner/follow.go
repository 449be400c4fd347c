package runner

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Bounds of what is kept of one resource's output in a while; what is more is left out, and counted.
const (
	followWindow = 10 * time.Second
	followLines  = 500
	followBytes  = 1 << 20
)

// follow sends what a resource prints to its step's log, as attempt 0. The lines are numbered on from the clock: each
// time that following begins anew, here or in another runner, its numbers are higher than all before, since no more
// than 50 lines a second are let through.
func (x *watcher) follow(ctx context.Context) {
	select {
	case x.of.places <- struct{}{}:
		defer func() { <-x.of.places }()
	case <-ctx.Done():
		return
	}
	t := &tap{since: x.watch.Since}
	defer t.close()
	said := ""
	for wait := time.Duration(0); x.rest(ctx, wait); wait = x.of.every {
		if err := x.read(ctx, t); err != nil && ctx.Err() == nil && err.Error() != said {
			said = err.Error()
			x.of.runner.log.Info("the output of a resource can't be followed now", "environment", x.key.environment, "step", x.key.step, "error", err)
		}
	}
}

// read follows until ctx ends or something fails; a panic is the executor's failure and not the runner's end.
func (x *watcher) read(ctx context.Context, t *tap) (err error) {
	defer func() {
		if found := recover(); found != nil {
			x.of.runner.log.Error("an executor panicked while it followed", "executor", x.watch.Executor, "stack", string(debug.Stack()))
			err = fault.New(fault.GiveUp, fault.Internal, "executor %q failed in a way that nobody foresaw", x.watch.Executor)
		}
	}()
	f, ok := x.of.runner.executors[x.watch.Executor].(executor.Follower)
	if !ok {
		return fault.New(fault.GiveUp, fault.Invalid, "resources of the executor %q can't be followed", x.watch.Executor)
	}
	r, mask, err := x.request()
	if err != nil {
		return err
	}
	if t.lines == nil {
		t.lines = newLines(x.of.runner, &job{task: &event.Task{TaskRef: r.TaskRef}}, mask)
		t.lines.first = int(time.Now().UnixMilli())
	}
	if err := f.Follow(ctx, r, t.since, t.take); err != nil {
		return mask.fault(fault.From(err))
	}
	return nil
}

// tap lets through so much of a resource's output in a while, and says how much it has left out.
type tap struct {
	lines *lines

	mu    sync.Mutex
	since time.Time // behind the last line that came
	until time.Time // end of the while
	count int
	bytes int
	left  int
	note  *time.Timer
}

func (t *tap) take(at time.Time, stream, text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.since = at.Add(1)
	now := time.Now()
	if !now.Before(t.until) {
		t.settle()
		t.until, t.count, t.bytes = now.Add(followWindow), 0, 0
	}
	n := 1 + strings.Count(text, "\r") + strings.Count(text, "\n")
	if t.count+n > followLines || t.bytes >= followBytes {
		if t.left++; t.left == 1 {
			t.note = time.AfterFunc(t.until.Sub(now), t.over)
		}
		return
	}
	t.count, t.bytes = t.count+n, t.bytes+len(text)
	t.lines.addAt(at, stream, text)
}

// over says what was left out when nothing more has come.
func (t *tap) over() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.settle()
}

// settle says what was left out; mu is held.
func (t *tap) settle() {
	if t.left == 0 {
		return
	}
	t.note.Stop()
	t.lines.addAt(t.since.Add(-1), "err", fmt.Sprintf("(%d lines are left out here: of more than %d lines or 1 MiB in %s the rest is not kept)",
		t.left, followLines, followWindow))
	t.left = 0
}

func (t *tap) close() {
	t.over()
	if t.lines != nil {
		t.lines.close()
	}
}
