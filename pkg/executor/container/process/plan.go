package process

import (
	"context"

	"github.com/vivarium-env/vivarium/pkg/event"
)

// plan says what an apply would do.
func (w *work) plan(ctx context.Context) (event.Plan, error) {
	all, err := w.list()
	if err != nil {
		return event.Plan{}, err
	}
	until := w.r.Until()
	switch {
	case len(until) > 0 && len(all) > 0:
		return event.Plan{Change: event.ChangeUnknown, Until: until}, nil
	case len(until) == 0:
		if err := w.find(); err != nil {
			return event.Plan{}, err
		}
	}
	if len(all) == 0 {
		return w.target().PlanCreate(w.differ(w.wanted(), nil, nil)), nil
	}
	return w.target().Plan(ctx, all, w.program.id)
}
