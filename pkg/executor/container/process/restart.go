package process

import (
	"context"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/container/process/supervisor"
)

// Restart ends the step's programs in an orderly way, and has their supervisors start them again with what they were given. One without a supervisor is
// left to an apply.
func (e *Executor) Restart(ctx context.Context, r executor.Request) error {
	w, _, err := e.loosely(ctx, r)
	if err != nil {
		return err
	}
	all, err := w.list()
	if err != nil {
		return err
	}
	for _, f := range all {
		if !f.alive {
			continue
		}
		if err := w.hold(ctx, f); err != nil {
			return err
		}
		if err := supervisor.Resume(ctx, f.folder); err != nil {
			return w.fault(ctx, err)
		}
	}
	return nil
}
