package terraform

import (
	"context"
	"errors"
	"os"

	"github.com/vivarium-env/vivarium/pkg/executor/internal/process"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// variablesFile is under what name the program finds the inputs.
const variablesFile = "inputs.tfvars.json"

// execute runs apply or destroy to its end.
func (run *run) execute(ctx context.Context, verb string) (err error) {
	if err := run.prepare(ctx); err != nil {
		return err
	}
	path, file, err := variables(run.request.WorkDir, run.block.Inputs)
	if err != nil {
		return run.wrap(ctx, err, "the inputs of %s can't be handed over", run.request.Step)
	}
	defer func() {
		if gone := errors.Join(os.Remove(path), file.Close()); gone != nil && err == nil {
			err = run.wrap(ctx, gone, "the inputs of %s can't be taken away again", run.request.Step)
		}
	}()
	said := &messages{run: run, progress: progress{tell: run.request.Progress}, stray: &plain{run: run}}
	command := run.command([]string{verb, "-auto-approve", "-json", "-input=false", "-no-color", "-var-file=" + path}, said.out, said.err)
	command.Files = append(command.Files, file)
	code, err := process.Run(ctx, command)
	if adopted := run.adopt(); adopted != nil {
		return run.wrap(ctx, adopted, "the state of %s, which %s could not hand in, can't be kept", run.request.Step, run.binary)
	}
	switch {
	case err != nil:
		return run.wrap(ctx, err, "%s can't be started", run.binary)
	case run.claim != nil && run.claim.refused():
		return errLost
	case code != 0:
		return said.fault(verb, code)
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
	disposition := fault.GiveUp
	found := make([]fault.Diagnostic, len(m.errors))
	for i, d := range m.errors {
		found[i] = m.diagnostic(d)
		if d.Address != "" || d.Range == nil {
			disposition = fault.Retry
		}
	}
	return fault.New(disposition, fault.ExecutorFailed, "%s of %s failed: %s", verb, r.Step, summary(found)).With(found...)
}
