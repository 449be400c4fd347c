package process

import (
	"context"

	"github.com/vivarium-env/vivarium/pkg/executor/container/internal/replicas"
	"github.com/vivarium-env/vivarium/pkg/executor/container/process/supervisor"
)

// prepare looks up what replicas are made of.
func (w *work) prepare(context.Context) error { return w.find() }

func (w *work) converge(ctx context.Context) error {
	all, err := w.list()
	if err != nil {
		return err
	}
	return w.target().Converge(ctx, all, w.program.id)
}

// replace makes the new one. Twins have its name, and are no use: they go first.
func (w *work) replace(ctx context.Context, n int, s replicas.Sorted[found]) error {
	if err := w.notSelf(w.firstToGo(s)); err != nil {
		return err
	}
	if err := replicas.Each(ctx, s.Twins, w.remove); err != nil {
		return err
	}
	if w.stopFirst() {
		if err := replicas.Each(ctx, s.Others, w.hold); err != nil {
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
	return replicas.Each(ctx, s.Others, w.remove)
}

// firstToGo are those that are gone before there is a new one.
func (w *work) firstToGo(s replicas.Sorted[found]) []found {
	if w.stopFirst() {
		return append(s.Twins[:len(s.Twins):len(s.Twins)], s.Others...)
	}
	return s.Twins
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
		replicas.Say(w.r, "%s could not be started again: %s", old.name, said(err))
		return why
	}
	replicas.Say(w.r, "%s, which was there before, goes on", old.name)
	return why
}

// hold ends a program; its supervisor can start it again, whoever has forgotten what it was given.
func (w *work) hold(ctx context.Context, f found) error {
	err := supervisor.Hold(ctx, f.folder, f.StopTimeout)
	if err == nil {
		err = supervisor.EndLeftovers(ctx, f.ID, f.StopTimeout) // where it has no supervisor
	}
	return w.fault(ctx, err)
}
