package docker

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/vivarium-env/vivarium/pkg/executor/container"
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

// converge brings one replica after the other to what the block asks for, and then removes those that are too many.
func (w *work) converge(ctx context.Context) error {
	all, err := w.list(ctx)
	if err != nil {
		return err
	}
	for n := 1; n <= w.block.Replicas; n++ {
		w.progress(fmt.Sprintf("replica %d", n), n-1, w.block.Replicas)
		mine := slices.DeleteFunc(slices.Clone(all), func(f found) bool { return f.replica() != n })
		if err := w.replica(ctx, n, mine); err != nil {
			return err
		}
	}
	for _, f := range all {
		if f.replica() < 1 || f.replica() > w.block.Replicas {
			if err := w.remove(ctx, f); err != nil {
				return err
			}
		}
	}
	w.progress("all replicas are there", w.block.Replicas, w.block.Replicas)
	return nil
}

// sorted are the containers of one replica: the one that is as wanted, nil for none, and the others.
type sorted struct {
	current *found
	// twins are as wanted too, but do not run; others are not as wanted. Both the newest first.
	twins, others []found
}

func (w *work) sort(ctx context.Context, mine []found) (s sorted, err error) {
	for _, f := range mine {
		differences, err := w.compare(ctx, f, w.image.ID)
		switch {
		case err != nil:
			return s, err
		case len(differences) > 0:
			s.others = append(s.others, f)
		case s.current == nil && f.asItShouldBe(w.block):
			s.current = &f
		default:
			s.twins = append(s.twins, f)
		}
	}
	return s, nil
}

// replica sees to one replica: what is there and well stays; else a new one is made, and the old one goes when the new one
// is healthy.
func (w *work) replica(ctx context.Context, n int, mine []found) error {
	s, err := w.sort(ctx, mine)
	if err != nil {
		return err
	}
	if s.current != nil {
		sick := w.healthy(ctx, *s.current, false)
		if sick == nil {
			return w.removeAll(ctx, append(s.twins, s.others...))
		}
		if ctx.Err() != nil || !isSick(sick) {
			return sick
		}
		w.say("%s is not healthy, and is replaced", s.current.called())
		s.twins = append(s.twins, *s.current)
	}
	return w.replace(ctx, n, s)
}

// replace makes the new one. Twins have its name, and are no use: they go first.
func (w *work) replace(ctx context.Context, n int, s sorted) error {
	if err := w.removeAll(ctx, s.twins); err != nil {
		return err
	}
	if err := w.free(ctx, s.others); err != nil {
		return err
	}
	if w.block.Update.Order == container.StopFirst {
		if err := w.stopAll(ctx, s.others); err != nil {
			return err
		}
	}
	fresh, err := w.start(ctx, n)
	if err == nil {
		err = w.healthy(ctx, fresh, true)
	}
	if err != nil {
		return w.back(ctx, n, s.others, err)
	}
	if err := w.handOver(ctx, s.others); err != nil {
		return err
	}
	return w.removeAll(ctx, s.others)
}

// handover is longer than the two seconds for which Traefik may not have heard of the new one: until then it knows only the old.
const handover = 3 * time.Second

// handOver lets old and new run side by side for a moment where there are routes to them.
func (w *work) handOver(ctx context.Context, others []found) error {
	if len(w.block.Expose) == 0 || len(others) == 0 || w.block.Update.Order == container.StopFirst {
		return nil
	}
	return pause(ctx, handover)
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
		w.say("%s could not be started again: %s", old.called(), w.said(err))
		return why
	}
	w.say("%s, which was there before, goes on", old.called())
	return why
}

func (w *work) removeAll(ctx context.Context, all []found) error {
	for _, f := range all {
		if err := w.remove(ctx, f); err != nil {
			return err
		}
	}
	return nil
}

func (w *work) stopAll(ctx context.Context, all []found) error {
	for _, f := range all {
		if err := w.stop(ctx, f); err != nil {
			return err
		}
	}
	return nil
}
