package process

import (
	"context"
	"fmt"
	"slices"

	"github.com/vivarium-env/vivarium/pkg/executor/container/process/supervisor"
)

// prepare looks up what replicas are made of.
func (w *work) prepare(context.Context) error { return w.find() }

// converge brings one replica after the other to what the block asks for, and then removes those that are too many.
func (w *work) converge(ctx context.Context) error {
	all, err := w.list()
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

// sorted are the attempts at one replica: the one that is as wanted, nil for none, and the others.
type sorted struct {
	current *found
	// twins are as wanted too, but do not run; others are not as wanted. Both the newest first.
	twins, others []found
}

func (w *work) sort(mine []found) (s sorted, err error) {
	for _, f := range mine {
		differences, err := w.compare(f, w.program.id)
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

// replica sees to one replica: what is there and well stays; else a new one is made, and the old one goes when the new one is healthy.
func (w *work) replica(ctx context.Context, n int, mine []found) error {
	s, err := w.sort(mine)
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
		w.say("%s is not healthy, and is replaced", s.current.name)
		s.twins = append(s.twins, *s.current)
	}
	return w.replace(ctx, n, s)
}

// replace makes the new one. Twins have its name, and are no use: they go first.
func (w *work) replace(ctx context.Context, n int, s sorted) error {
	if err := w.notSelf(w.firstToGo(s)); err != nil {
		return err
	}
	if err := w.removeAll(ctx, s.twins); err != nil {
		return err
	}
	if w.stopFirst() {
		if err := w.holdAll(ctx, s.others); err != nil {
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
	return w.removeAll(ctx, s.others)
}

// firstToGo are those that are gone before there is a new one.
func (w *work) firstToGo(s sorted) []found {
	if w.stopFirst() {
		return append(s.twins[:len(s.twins):len(s.twins)], s.others...)
	}
	return s.twins
}

// back removes the new one, and has the old one run again. The error is why, with what came of that.
func (w *work) back(ctx context.Context, n int, others []found, why error) error {
	ctx, cancel := w.grace(ctx)
	defer cancel()
	fresh, there, err := w.look(w.name(n))
	if err == nil && there && w.mine(fresh.record) {
		err = w.removeWithin(ctx, fresh, 0)
	}
	if err != nil || len(others) == 0 {
		return why // what is left is found by the next apply
	}
	old, _, err := w.look(others[0].name)
	if err == nil && old.state.Phase == supervisor.Held {
		err = supervisor.Resume(ctx, old.folder)
	}
	if err != nil {
		w.say("%s could not be started again: %s", old.name, said(err))
		return why
	}
	w.say("%s, which was there before, goes on", old.name)
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

// holdAll ends programs; their supervisors can start them again, whoever has forgotten what they were given.
func (w *work) holdAll(ctx context.Context, all []found) error {
	for _, f := range all {
		err := supervisor.Hold(ctx, f.folder, f.StopTimeout)
		if err == nil {
			err = supervisor.EndLeftovers(ctx, f.ID, f.StopTimeout) // where it has no supervisor
		}
		if err != nil {
			return w.fault(ctx, err)
		}
	}
	return nil
}
