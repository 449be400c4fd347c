package docker

import (
	"context"
	"slices"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// left are the things of the step that are there: containers, and networks and volumes that it made and nobody uses.
func (w *work) left(ctx context.Context) (names []string, err error) {
	all, err := w.list(ctx)
	if err != nil {
		return nil, err
	}
	for _, f := range all {
		names = append(names, "container "+f.Called())
	}
	networks, err := w.ownNetworks(ctx)
	if err != nil {
		return nil, err
	}
	for _, n := range networks {
		if names, err = w.unused(ctx, names, "network", n.Name); err != nil {
			return nil, err
		}
	}
	volumes, err := w.ownVolumes(ctx)
	if err != nil {
		return nil, err
	}
	for _, v := range volumes {
		if names, err = w.unused(ctx, names, "volume", v.Name); err != nil {
			return nil, err
		}
	}
	slices.Sort(names)
	return names, nil
}

// unused adds the name unless somebody uses the thing: then it is theirs to remove.
func (w *work) unused(ctx context.Context, names []string, what, name string) ([]string, error) {
	used, err := w.used(ctx, what, name)
	if err == nil && !used {
		names = append(names, what+" "+name)
	}
	return names, err
}

// prove looks that nothing is left.
func (w *work) prove(ctx context.Context) error {
	names, err := w.left(ctx)
	if err != nil || len(names) == 0 {
		return err
	}
	return fault.New(fault.Retry, fault.OrphanSuspected, "%s is destroyed, but Docker at %s still has: %s",
		w.r.Step, w.place.shown, w.r.Mask(strings.Join(names, ", ")))
}
