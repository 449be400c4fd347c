package docker

import (
	"context"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor/container"
)

// plan says what an apply would do.
func (w *work) plan(ctx context.Context) (event.Plan, error) {
	all, err := w.list(ctx)
	if err != nil {
		return event.Plan{}, err
	}
	if until := w.r.Until(); len(until) > 0 && len(all) > 0 {
		return event.Plan{Change: event.ChangeUnknown, Until: until}, nil
	}
	if err := w.lookAtImage(ctx); err != nil {
		return event.Plan{}, err
	}
	if len(all) == 0 {
		return w.target().PlanCreate(w.fresh()), nil
	}
	return w.planReplicas(ctx, all)
}

// fresh is all that the block says of a container, as what would be made.
func (w *work) fresh() []event.Difference {
	differences := w.differ(w.wanted(nil), nil, nil)
	for path, content := range w.block.Files {
		differences = append(differences, event.Difference{
			Path: filePath(w.r.Mask(path)), Change: event.ChangeCreate, Sensitive: w.r.Mask(content) != content,
		})
	}
	return differences
}

func (w *work) planReplicas(ctx context.Context, all []found) (event.Plan, error) {
	imageID := ""
	if w.image != nil {
		imageID = w.image.ID
	}
	plan, err := w.target().Plan(ctx, all, imageID)
	if err == nil && plan.Change != event.ChangeReplace && w.block.Pull == container.PullAlways {
		plan.Change, plan.Until = event.ChangeUnknown, []string{"the image is pulled"}
	}
	return plan, err
}
