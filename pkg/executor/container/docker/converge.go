package docker

import (
	"context"
	"time"

	"github.com/vivarium-env/vivarium/pkg/executor/container"
	"github.com/vivarium-env/vivarium/pkg/executor/container/internal/replicas"
)

// prepare makes what containers need before they are made.
func (w *work) prepare(ctx context.Context) error {
	for _, step := range []func(context.Context) error{w.ensureImage, w.ensureNetworks, w.ensureVolumes, w.reachable} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (w *work) converge(ctx context.Context) error {
	all, err := w.list(ctx)
	if err != nil {
		return err
	}
	return w.target().Converge(ctx, all, w.image.ID)
}

// replace makes the new one. Twins have its name, and are no use: they go first.
func (w *work) replace(ctx context.Context, n int, s replicas.Sorted[found]) error {
	if err := replicas.Each(ctx, s.Twins, w.remove); err != nil {
		return err
	}
	if err := w.free(ctx, s.Others); err != nil {
		return err
	}
	if w.block.Update.Order == container.StopFirst {
		if err := replicas.Each(ctx, s.Others, w.stop); err != nil {
			return err
		}
	}
	fresh, err := w.start(ctx, n)
	if err == nil {
		err = w.healthy(ctx, fresh, true)
	}
	if err != nil {
		return w.back(ctx, n, s.Others, err)
	}
	if err := w.handOver(ctx, s.Others); err != nil {
		return err
	}
	return replicas.Each(ctx, s.Others, w.remove)
}

// handover is longer than the two seconds for which Traefik may not have heard of the new one: until then it knows only the old.
const handover = 3 * time.Second

// handOver lets old and new run side by side for a moment where there are routes to them.
func (w *work) handOver(ctx context.Context, others []found) error {
	if len(w.block.Expose) == 0 || len(others) == 0 || w.block.Update.Order == container.StopFirst {
		return nil
	}
	return replicas.Pause(ctx, handover)
}

// back removes the new one, and has the old one run again. The error is why, with what came of that.
func (w *work) back(ctx context.Context, n int, others []found, why error) error {
	ctx, cancel := w.grace(ctx)
	defer cancel()
	fresh, there, err := w.inspect(ctx, w.name(n))
	if err == nil && there && w.mine(fresh) {
		err = w.discard(ctx, fresh)
	}
	if err != nil || len(others) == 0 {
		return why // what is left is found by the next apply
	}
	old := others[0]
	if err := w.run(ctx, old); err != nil {
		replicas.Say(w.r, "%s could not be started again: %s", old.Called(), w.said(err))
		return why
	}
	replicas.Say(w.r, "%s, which was there before, goes on", old.Called())
	return why
}
