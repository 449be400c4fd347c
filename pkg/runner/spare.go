package runner

import (
	"context"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// spare refuses an apply that would destroy or replace what may not be, by the executor's own plan; what is applied then is
// that plan, where the executor saves one.
func (w *worker) spare(ctx context.Context, r *executor.Request) error {
	if !w.task.PreventDestroy || r.Plan != nil { // what that plan does was seen when it was made
		return nil
	}
	look := *r
	look.SaveState = nil
	plan, err := w.executor().Plan(ctx, look, event.Apply)
	if err != nil {
		return err
	}
	if plan.Change == event.ChangeReplace || plan.Change == event.ChangeDestroy {
		return fault.New(fault.GiveUp, fault.Protected, "%s may not be destroyed (prevent_destroy), and this would %s it%s; nothing was changed",
			w.task.Step, plan.Change, w.because(plan.Differences))
	}
	r.Plan = plan.Saved
	return nil
}

// because names what would be destroyed or made anew.
func (w *worker) because(all []event.Difference) string {
	var paths []string
	for _, d := range all {
		if d.Change == event.ChangeReplace || d.Change == event.ChangeDestroy {
			paths = append(paths, d.Path)
		}
	}
	if len(paths) == 0 {
		return ""
	}
	return ": " + strings.Join(w.names(paths), ", ")
}
