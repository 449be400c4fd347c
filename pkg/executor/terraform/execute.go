package terraform

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// The program's verbs.
const (
	apply   = "apply"
	destroy = "destroy"
	plan    = "plan"
)

// execute runs apply or destroy to its end; saved is the plan that an apply carries out, nil for one of its own.
func (run *run) execute(ctx context.Context, verb string, saved []byte) error {
	if err := run.hold(ctx); err != nil {
		return err
	}
	h := &hidden{dir: run.request.WorkDir}
	args := []string{verb, "-auto-approve", "-json", "-input=false", "-no-color"}
	if saved == nil {
		path, err := h.add(variablesFile, run.block.Inputs)
		if err != nil {
			return run.wrap(ctx, err, "the inputs of %s can't be handed over", run.request.Step)
		}
		args = append(args, "-var-file="+path)
	} else {
		path, err := h.add(planFile, saved)
		if err != nil {
			return run.wrap(ctx, err, "the plan of %s can't be handed over", run.request.Step)
		}
		args = append(args, path) // the inputs are in the plan
	}
	return run.settle(ctx, run.persist(ctx, h, args))
}

// persist runs the program, and once more when a lock that a dead attempt has left was in the way.
func (run *run) persist(ctx context.Context, h *hidden, args []string) (err error) {
	defer func() {
		if gone := h.close(); gone != nil && err == nil {
			err = run.wrap(ctx, gone, "the inputs of %s can't be taken away again", run.request.Step)
		}
	}()
	err = run.talk(ctx, h, args...)
	var locked *lockedError
	if !errors.As(err, &locked) {
		return err
	}
	released, failed := run.release(ctx, locked.lock)
	if failed != nil {
		return failed
	}
	if !released {
		return locked
	}
	return run.talk(ctx, h, args...)
}

// settle takes over what the end of an apply or destroy has left.
func (run *run) settle(ctx context.Context, err error) error {
	if adopted := run.adopt(); adopted != nil {
		return run.unsaved(ctx, adopted)
	}
	if lost := run.keeper.trouble(); lost != nil {
		return run.unsaved(ctx, lost)
	}
	if err != nil {
		return err
	}
	return run.letGo(ctx)
}

// talk runs the program with -json, and makes an error of what it says.
func (run *run) talk(ctx context.Context, h *hidden, args ...string) error {
	said := &messages{run: run, progress: progress{tell: run.request.Progress}, stray: &plain{run: run}}
	code, err := run.program(ctx, said.out, said.err, h.files, args...)
	switch {
	case err != nil:
		return run.wrap(ctx, err, "%s can't be started", run.binary)
	case code != 0:
		return said.fault(args[0], code)
	}
	return nil
}

// fault makes the program's diagnostics an error. Terraform's have no codes; but what a provider says carries the
// resource's address, and what the language says only a place in a file: that does not change with another try.
func (m *messages) fault(verb string, code int) error {
	r := m.run.request
	if len(m.errors) == 0 {
		return fault.New(fault.Retry, fault.ExecutorFailed, "%s of %s ended with exit code %d: %s", verb, r.Step, code, r.Mask(m.stray.message()))
	}
	if held := m.heldLock(); held != nil {
		return held
	}
	disposition := fault.GiveUp
	found := make([]fault.Diagnostic, len(m.errors))
	for i, d := range m.errors {
		found[i] = m.diagnostic(d)
		if d.Address != "" || d.Range == nil {
			disposition = fault.Retry
		}
	}
	return fault.New(disposition, fault.ExecutorFailed, "%s of %s failed: %s%s", verb, r.Step, summary(found), m.beside()).With(found...)
}

// beside is what was said past the program's own messages, which is where the panic of a provider goes.
func (m *messages) beside() string {
	text := strings.Join(strings.Fields(m.stray.text()), " ")
	if text == "" {
		return ""
	}
	const enough = 200
	if len(text) > enough {
		text = strings.ToValidUTF8(text[:enough], "") + "..."
	}
	return fmt.Sprintf("; beside that was said: %s (the step's log has all of it; a provider that crashed needs another version, or another try)",
		m.run.request.Mask(text))
}
