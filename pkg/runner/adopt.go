package runner

import (
	"context"
	"fmt"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// make applies, or takes over what is there already.
func (w *worker) make(ctx context.Context, r executor.Request) (executor.Outputs, error) {
	if w.task.Adopt == nil {
		return w.executor().Apply(ctx, r)
	}
	a, can := w.executor().(executor.Adopter)
	if !can {
		return nil, fault.New(fault.GiveUp, fault.Invalid, "%s can't be taken over: the executor %q of runner %q has no way to", w.task.Step, w.task.Executor, w.runner.o.Name)
	}
	look := r
	look.SaveState = nil
	plan, err := w.executor().Plan(ctx, look, event.Apply)
	if err != nil {
		return nil, err
	}
	if plan.Change != event.ChangeNone && !w.task.Adopt.Force {
		return nil, fault.New(fault.GiveUp, fault.Conflict,
			"%s is not taken over, since it is not as the template says (%s): %s; nothing was changed; have template and parameters say what is there, or force it",
			w.task.Step, plan.Change, w.list(plan.Differences))
	}
	r.Plan = plan.Saved
	return a.Adopt(ctx, r)
}

// mostListed is how many differences an error tells; a plan has all of them.
const mostListed = 10

// list names differences on one line.
func (w *worker) list(all []event.Difference) string {
	shown, omitted := w.differences(all)
	if more := len(shown) - mostListed; more > 0 {
		shown, omitted = shown[:mostListed], omitted+more
	}
	var texts []string
	for _, d := range shown {
		text := fmt.Sprintf("%s %s", d.Change, d.Path)
		if d.Change == event.ChangeUpdate && !d.Sensitive {
			text += fmt.Sprintf(" (%q to %q)", d.Before, d.After)
		}
		texts = append(texts, text)
	}
	if omitted > 0 {
		texts = append(texts, fmt.Sprintf("and %d more", omitted))
	}
	return strings.Join(texts, ", ")
}
