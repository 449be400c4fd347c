package runner

import (
	"context"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

const (
	mostDifferences = 100 // of one resource; what is more is counted
	mostUntil       = 20  // of one difference or plan
	valueBytes      = 1 << 10
)

// propose asks what apply or destroy would change.
func (w *worker) propose(ctx context.Context) error {
	if w.task.Proposes != event.Apply && w.task.Proposes != event.Destruct {
		return fault.New(fault.GiveUp, fault.Invalid, "runner %q can't plan the verb %q; it may be older than the server", w.runner.o.Name, w.task.Proposes)
	}
	return w.look(ctx, func(r executor.Request) error {
		r.Unknown = w.task.Unknown
		plan, err := w.executor().Plan(ctx, r, w.task.Proposes)
		if err == nil {
			plan.Differences, plan.Omitted = w.differences(plan.Differences)
			plan.Until = w.names(plan.Until)
			w.plan = &plan.Plan
			w.saved, w.unkept = sealPlan(w.box, w.task.TaskRef, plan.Saved)
		}
		return err
	})
}

// observe asks whether the resource is there, and as it was left.
func (w *worker) observe(ctx context.Context) error {
	return w.look(ctx, func(r executor.Request) error {
		found, err := w.executor().Observe(ctx, r)
		if err == nil {
			found.Differences, found.Omitted = w.differences(found.Differences)
			w.observation = &found
		}
		return err
	})
}

// look calls the executor for something that changes nothing, and so saves nothing.
func (w *worker) look(ctx context.Context, ask func(executor.Request) error) error {
	request, err := w.request()
	if err != nil {
		return err
	}
	request.SaveState = nil
	return w.guarded(ctx, request, func() error { return ask(request) })
}

// differences makes them fit to be seen by all, and few enough to be kept.
func (w *worker) differences(all []event.Difference) (few []event.Difference, omitted int) {
	if omitted = len(all) - mostDifferences; omitted > 0 {
		all = all[:mostDifferences]
	}
	for _, d := range all {
		d.Path, d.Before, d.After = w.shown(d.Path), w.shown(d.Before), w.shown(d.After)
		d.Until = w.names(d.Until)
		few = append(few, d)
	}
	return few, max(omitted, 0)
}

func (w *worker) names(all []string) (few []string) {
	for _, name := range all[:min(len(all), mostUntil)] {
		few = append(few, w.shown(name))
	}
	return few
}

// shown is a text masked as errors are: a secret that is too short to be looked for within a text is hidden where it is all
// of it.
func (w *worker) shown(text string) string {
	masked := executor.Request{Secrets: w.secrets}.Mask(text)
	whole := w.mask.text(masked)
	if part := brief(whole, valueBytes); part != whole {
		return part + "..."
	}
	return whole
}
