package faults

import (
	"context"
	"time"
)

// tricks are the ways in which the forger treats an offer. Whatever it does, the step has to be complete once, by the
// attempt whose work was done.
var tricks = []func(*forger, context.Context, task){
	plainly, backwards, outOfPlace, byGhosts, afterRefusal, afterFailure, withHeartbeats, givenBack, silently,
}

// Attempts from here on are done without a trick, so that the retry policy is never used up by tricks alone.
const honestFrom = 3

func (f *forger) trick(ctx context.Context, t task, which int) {
	if t.Attempt > 1 {
		// Whatever became of the attempt before, its success comes now, too late.
		f.lie(t, data{"attempt": t.Attempt - 1})
	}
	if t.Attempt >= honestFrom {
		which = 0
	}
	tricks[which](f, ctx, t)
}

// finish tells the truth, several times and with contradictions behind it.
func (f *forger) finish(t task) {
	f.work(t)
	f.about(t, "task.finished", truth(t))
	f.about(t, "task.finished", truth(t))
	f.lie(t, nil)
	f.about(t, "task.finished", data{"error": data{"code": "executor-failed", "message": "forged", "disposition": "give-up"}})
}

func plainly(f *forger, _ context.Context, t task) {
	f.about(t, "task.accepted", nil)
	f.about(t, "task.accepted", nil)
	f.finish(t)
}

// backwards: the result comes first.
func backwards(f *forger, _ context.Context, t task) {
	f.finish(t)
	f.about(t, "task.accepted", nil)
	f.about(t, "task.refused", data{"code": "cancelled"})
	f.about(t, "task.accepted", data{"runner": "ghost/1"})
}

// outOfPlace: results of attempts, operations, epochs, steps and environments that are not under way.
func outOfPlace(f *forger, _ context.Context, t task) {
	for _, wrong := range []data{
		{"attempt": t.Attempt - 1}, {"attempt": t.Attempt + 1}, {"attempt": 0}, {"attempt": -1}, {"attempt": 1 << 40},
		{"operation": "op-0"}, {"operation": "op-99"}, {"operation": ""}, {"epoch": 0}, {"step": "odd.action.nobody"}, {"step": ""},
		{"environment": "nobody"}, {"environment": ""}, {"environment": "../../etc"},
	} {
		f.lie(t, wrong)
		f.about(t, "task.accepted", wrong)
	}
	elsewhere := t
	elsewhere.Partition = (t.Partition + 1) % 16
	f.about(elsewhere, "task.accepted", nil)
	f.lie(elsewhere, nil)
	f.about(t, "task.accepted", nil)
	f.finish(t)
}

// byGhosts: somebody else, never seen, speaks about a task that is not his.
func byGhosts(f *forger, _ context.Context, t task) {
	f.about(t, "task.accepted", nil)
	ghost := data{"runner": "ghost/2"}
	f.about(t, "task.accepted", ghost)
	f.about(t, "task.refused", data{"runner": "ghost/2", "code": "cancelled"})
	f.lie(t, ghost)
	f.about(t, "task.finished", data{"runner": "ghost/3", "error": data{"code": "internal", "message": "forged", "disposition": "give-up"}})
	f.finish(t)
}

// afterRefusal: it was delivered before, so somebody may have begun; when nobody did, there is another attempt.
func afterRefusal(f *forger, _ context.Context, t task) {
	f.about(t, "task.refused", data{"code": "redelivered", "reason": "forged"})
	f.about(t, "task.refused", data{"code": "expired", "reason": "forged"})
}

// afterFailure: one failure, said twice, is one failure.
func afterFailure(f *forger, _ context.Context, t task) {
	failure := data{"error": data{"code": "executor-failed", "message": "forged", "disposition": "retry"}}
	f.about(t, "task.accepted", nil)
	f.about(t, "task.finished", failure)
	f.about(t, "task.finished", failure)
	f.about(t, "task.accepted", nil)
}

// withHeartbeats: of the future, of the past, of ghosts and about nothing.
func withHeartbeats(f *forger, ctx context.Context, t task) {
	ref := data{"environment": t.Environment, "operation": t.Operation, "step": t.Step, "attempt": t.Attempt, "partition": t.Partition, "epoch": t.Epoch}
	unknown := data{"environment": "nobody", "operation": "op-1", "step": "x", "attempt": 1}
	beat := func(runner, at string, tasks ...any) {
		f.about(t, "runner.heartbeat", data{"runner": runner, "time": at, "tasks": tasks})
	}
	beat(f.name, "2199-01-01T00:00:00Z", ref, unknown)
	beat(f.name, "1999-01-01T00:00:00Z", ref)
	beat("ghost/4", "2026-01-01T00:00:00Z", ref, data{})
	f.lie(t, data{"runner": "ghost/4"})
	pause(ctx, 50*time.Millisecond)
	f.finish(t)
}

// givenBack: nobody has begun it.
func givenBack(f *forger, _ context.Context, t task) {
	f.about(t, "task.refused", data{"code": "executor-unknown", "reason": "forged"})
	f.lie(t, data{"attempt": t.Attempt + 1})
}

// silently: the offer lapses.
func silently(*forger, context.Context, task) {}
