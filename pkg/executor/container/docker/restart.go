package docker

import (
	"context"

	"github.com/vivarium-env/vivarium/pkg/executor"
)

// Restart ends the step's containers in an orderly way, and starts them again.
func (e *Executor) Restart(ctx context.Context, r executor.Request) error {
	w, _, err := e.loosely(ctx, r)
	if err != nil {
		return err
	}
	all, err := w.list(ctx)
	if err != nil {
		return err
	}
	for _, f := range all {
		if err := w.stop(ctx, f); err != nil {
			return err
		}
		f.State.Paused = false // a stop ends that, too
		if err := w.run(ctx, f); err != nil {
			return err
		}
	}
	return nil
}
