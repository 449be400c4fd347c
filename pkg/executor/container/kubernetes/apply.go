package kubernetes

import (
	"context"

	"github.com/vivarium-env/vivarium/pkg/executor"
)

// Apply makes the objects be as the block says, and waits until the replicas are healthy. When they do not get so, the
// Deployment returns to what it was when they last were.
func (e *Executor) Apply(ctx context.Context, r executor.Request) (executor.Outputs, error) {
	s, err := e.begin(ctx, r, false)
	if err != nil {
		return nil, err
	}
	want, err := s.render()
	if err != nil {
		return nil, err
	}
	if len(s.block.Networks) > 0 {
		s.say("networks keep nobody apart on Kubernetes: all pods reach each other, those of a namespace by the names of their Services")
	}
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	if err := s.free(ctx, want); err != nil {
		return nil, err
	}
	if err := s.carryOut(ctx, want); err != nil {
		return nil, err
	}
	return s.outputs(ctx)
}

// free looks that none of the names is taken by somebody else, before anything is written.
func (s *session) free(ctx context.Context, want wanted) error {
	for _, o := range want.all() {
		if _, err := s.claimed(ctx, o.kind, o.name); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) carryOut(ctx context.Context, want wanted) error {
	changed := false
	all := func(objects []object) error {
		for _, o := range objects {
			_, did, err := s.make(ctx, o)
			if err != nil {
				return err
			}
			changed = changed || did
		}
		return nil
	}
	if err := all(want.config); err != nil {
		return err
	}
	was, err := s.claimed(ctx, deployments, s.at.name)
	if err != nil {
		return err
	}
	if was == nil {
		// Nobody is served yet, and replicas may look for each other by the Service's name.
		if err := all(want.network); err != nil {
			return err
		}
	}
	did, err := s.roll(ctx, want.deployment)
	if err != nil {
		return err
	}
	changed = changed || did
	if err := all(want.network); err != nil {
		return err
	}
	removed, err := s.prune(ctx, want)
	if err == nil && !changed && !removed {
		s.say("nothing to change: the Deployment " + s.at.name + " and what belongs to it are as they should be")
	}
	return err
}

// prune removes objects of the step that are not wanted any more, such as the Secret of the former revision.
func (s *session) prune(ctx context.Context, want wanted) (removed bool, err error) {
	names := map[kind]map[string]bool{}
	for _, o := range want.all() {
		if names[o.kind] == nil {
			names[o.kind] = map[string]bool{}
		}
		names[o.kind][o.name] = true
	}
	for _, k := range ours {
		found, err := s.list(ctx, k)
		if err != nil {
			return removed, err
		}
		for _, o := range found {
			if names[k][o.GetName()] || kept(o) {
				continue
			}
			if err := s.remove(ctx, k, o); err != nil {
				return removed, err
			}
			removed = true
		}
	}
	return removed, nil
}

// kept tells whether an object outlives its resource.
func kept(o live) bool { return o.GetAnnotations()[annotationKeep] == "true" }
