package process

import (
	"context"
	"slices"

	"github.com/vivarium-env/vivarium/pkg/executor/container/process/supervisor"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// A runner can be a replica too, and be given the work of replacing itself: it can't wait for its own end.

func (w *work) self(f found) bool { return w.options.Self != "" && f.ID == w.options.Self }

// notSelf refuses what this runner could not survive, and what others could not go on with.
func (w *work) notSelf(all []found) error {
	if !slices.ContainsFunc(all, w.self) {
		return nil
	}
	return fault.New(fault.GiveUp, fault.Conflict,
		"%s is the very runner that is to end it, and what comes then would be done by nobody: let a runner that is none of its replicas do that", w.r.Step)
}

// leave has this runner end once it has said that the other one is to go on: an attempt that fails is tried again there.
func (w *work) leave(ctx context.Context, f found) error {
	if err := supervisor.Ask(f.folder); err != nil {
		return w.fault(ctx, err)
	}
	return fault.New(fault.Retry, fault.Busy, "%s is the runner that has replaced itself: the new one goes on with it", w.r.Step)
}
