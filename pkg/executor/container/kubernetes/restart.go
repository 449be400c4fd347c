package kubernetes

import (
	"context"

	"github.com/vivarium-env/vivarium/pkg/executor"
)

// Restart deletes the step's pods, in whose place the cluster puts others.
func (e *Executor) Restart(ctx context.Context, r executor.Request) error {
	s, err := e.begin(ctx, r, true)
	if err != nil {
		return err
	}
	_, all, err := s.listed(ctx, pods)
	if err != nil {
		return err
	}
	for _, p := range all {
		if err := s.remove(ctx, pods, p); err != nil {
			return err
		}
	}
	return nil
}
