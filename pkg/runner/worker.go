package runner

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/secret"
)

// worker is what one job is done with: its inputs in the clear, and what keeps them out of sight.
type worker struct {
	runner          *Runner
	job             *job
	task            *event.Task
	log             *slog.Logger
	box             *secret.Box
	inputs, outputs json.RawMessage
	secrets         []string // found in both
	state           []byte   // what the attempt before has saved
	mask            *masker
	lines           *lines
	plan            *event.Plan
	saved           string // what the executor has saved for the plan, sealed
	unkept          int    // its size where it is too large to be kept
	observation     *event.Observation
}

// open unseals what the task brought along.
func (r *Runner) open(j *job) (*worker, error) {
	t := j.task
	w := &worker{
		runner: r, job: j, task: t, box: r.Box(),
		log: r.log.With("environment", t.Environment, "step", t.Step, "attempt", t.Attempt),
	}
	if w.box == nil {
		return nil, fault.New(fault.Retry, fault.SecretUnavailable, "the runner has no key yet to open the step's inputs with")
	}
	if err := w.adopt(); err != nil {
		return nil, err
	}
	for _, doc := range []struct {
		from json.RawMessage
		to   *json.RawMessage
	}{{t.Inputs, &w.inputs}, {t.Outputs, &w.outputs}} {
		clear, found, err := w.box.Open(doc.from)
		if err != nil {
			return nil, fault.Wrap(err, fault.GiveUp, fault.SecretUnavailable,
				"a secret of the step can't be opened: it was sealed for another cluster, or altered")
		}
		*doc.to, w.secrets = clear, append(w.secrets, found...)
	}
	w.mask = newMasker(w.secrets)
	w.lines = newLines(r, j, w.mask)
	return w, nil
}

// do runs the verb. A panic is the executor's failure and not the runner's end.
func (w *worker) do(ctx context.Context) (outputs executor.Outputs, err error) {
	defer func() {
		if p := recover(); p != nil {
			w.log.Error("an executor panicked", "executor", w.task.Executor,
				"panic", w.mask.text(fmt.Sprint(p)), "stack", w.mask.text(string(debug.Stack())))
			outputs, err = nil, fault.New(fault.GiveUp, fault.Internal,
				"executor %q failed in a way that nobody foresaw; the log of runner %q has the details", w.task.Executor, w.runner.o.Name)
		}
	}()
	switch w.task.Verb {
	case event.Apply:
		return w.apply(ctx)
	case event.Destruct:
		return nil, w.destroy(ctx)
	case event.Validate:
		return nil, w.validate(ctx)
	case event.Propose:
		return nil, w.propose(ctx)
	case event.Observe:
		return nil, w.observe(ctx)
	default:
		return nil, fault.New(fault.GiveUp, fault.Invalid,
			"runner %q does not know the verb %q; it may be older than the server", w.runner.o.Name, w.task.Verb)
	}
}

func (w *worker) apply(ctx context.Context) (executor.Outputs, error) {
	request, err := w.request()
	if err != nil {
		return nil, err
	}
	if request.Plan, err = openPlan(w.box, w.task.TaskRef, w.task.Plan); err != nil {
		return nil, err
	}
	var outputs executor.Outputs
	err = w.guarded(ctx, request, func() error {
		if err := w.spare(ctx, &request); err != nil {
			return err
		}
		outputs, err = w.make(ctx, request)
		return err
	})
	return outputs, err
}

// destroy is over only when a look shows that nothing is left.
func (w *worker) destroy(ctx context.Context) error {
	request, err := w.request()
	if err != nil {
		return err
	}
	presence := event.PresenceUnknown
	err = w.guarded(ctx, request, func() error {
		if err := w.executor().Destroy(ctx, request); err != nil {
			return err
		}
		found, err := w.executor().Observe(ctx, w.afterwards(request))
		presence = found.Presence
		if err != nil && ctx.Err() == nil && w.traceless() {
			presence, err = event.PresenceUnknown, nil // who does not answer any more proves nothing, and needs not
		}
		return err
	})
	if err != nil {
		return err
	}
	if !w.gone(presence) {
		return fault.New(fault.GiveUp, fault.OrphanSuspected,
			"%q was destroyed, but a look afterwards found it %s; see what is left and destroy again", w.task.Step, presence)
	}
	if err := w.runner.folders.remove(w.task.TaskRef); err != nil {
		w.log.Warn("the folder of a destroyed step stays", "error", err)
	}
	return nil
}

// gone tells whether a look after a destroy proves that nothing is left.
func (w *worker) gone(found event.Presence) bool {
	return found == event.Absent || (found == event.PresenceUnknown && w.traceless())
}

func (w *worker) traceless() bool {
	_, is := w.executor().(executor.Traceless)
	return is
}

func (w *worker) executor() executor.Executor { return w.runner.executors[w.task.Executor] }

func (w *worker) request() (executor.Request, error) {
	request := executor.Request{
		TaskRef: w.task.TaskRef, Occasion: w.task.Occasion, Inputs: w.inputs, Outputs: w.outputs, Secrets: w.secrets,
		State: w.state, SaveState: w.saveState, Log: w.lines.add, Progress: w.progress,
	}
	if w.task.Adopt != nil {
		request.Adopt = w.task.Adopt.ID
	}
	if w.task.Unasked {
		request.Log = func(string, string) {}
	}
	var err error
	if w.task.Bundle != nil {
		if request.Bundle, err = w.runner.folders.bundle(w.task.Bundle); err != nil {
			return request, err
		}
	}
	request.WorkDir, err = w.runner.folders.work(w.task.TaskRef)
	return request, err
}

// seal makes the outputs fit to be seen by all. One that holds a secret of the task is sealed although the
// executor took it for harmless.
func (w *worker) seal(outputs executor.Outputs) (json.RawMessage, error) {
	if len(outputs) == 0 {
		return nil, nil
	}
	request := executor.Request{Secrets: w.secrets}
	sealed := make(map[string]json.RawMessage, len(outputs))
	for name, output := range outputs {
		if !json.Valid(output.Value) {
			return nil, fault.New(fault.GiveUp, fault.Internal, "output %q of executor %q is no JSON", name, w.task.Executor)
		}
		sealed[name] = output.Value
		if output.Sensitive || request.Holds(output.Value) {
			sealed[name] = w.box.Seal(output.Value)
		}
	}
	return encode(sealed), nil
}
