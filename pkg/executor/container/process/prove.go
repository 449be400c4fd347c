package process

import (
	"context"
	"slices"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/executor/container/process/supervisor"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// left are the things of the step that are there: replicas, volumes that it made and nobody uses, and processes of replicas that
// this work has removed.
func (w *work) left(context.Context) (names []string, err error) {
	all, err := w.list()
	if err != nil {
		return nil, err
	}
	for _, f := range all {
		names = append(names, "process "+f.name)
	}
	for _, f := range w.ended {
		if supervisor.Left(f.ID) {
			names = append(names, "processes that "+f.name+" has started")
		}
	}
	volumes, err := w.ownVolumes()
	if err != nil {
		return nil, w.fault(noContext, err)
	}
	for _, name := range volumes {
		names = append(names, "volume "+name)
	}
	slices.Sort(names)
	return names, nil
}

// prove looks that nothing is left.
func (w *work) prove(ctx context.Context) error {
	names, err := w.left(ctx)
	if err != nil || len(names) == 0 {
		return err
	}
	return fault.New(fault.Retry, fault.OrphanSuspected, "%s is destroyed, but this machine still has: %s", w.r.Step, w.r.Mask(strings.Join(names, ", ")))
}
