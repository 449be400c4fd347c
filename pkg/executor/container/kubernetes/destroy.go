package kubernetes

import (
	"context"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Destroy removes the step's objects and returns when none is left, pods included. Volumes to be kept stay.
func (e *Executor) Destroy(ctx context.Context, r executor.Request) error {
	s, err := e.begin(ctx, r, true)
	if err != nil {
		return err
	}
	there, err := s.inhabited(ctx)
	if err != nil || !there {
		return err
	}
	for _, k := range ours {
		found, err := s.list(ctx, k)
		if err != nil {
			return err
		}
		for _, o := range found {
			if kept(o) {
				s.say(s.r.Mask("kept the " + k.name + " " + o.GetName()))
			} else if err := s.remove(ctx, k, o); err != nil {
				return err
			}
		}
		if k == deployments {
			// What is mounted goes only after those who have it mounted.
			if err := s.empties(ctx); err != nil {
				return err
			}
		}
	}
	if err := s.nothingLeft(ctx); err != nil {
		return err
	}
	return s.leave(ctx)
}

// inhabited tells whether there is the namespace at all; one that is being removed is waited for.
func (s *session) inhabited(ctx context.Context) (bool, error) {
	if !s.at.own {
		return true, nil // lists in a namespace that is not there are empty
	}
	o, err := s.get(ctx, namespaces, s.at.namespace)
	if err != nil || o == nil {
		return false, err
	}
	if o.GetDeletionTimestamp() != nil {
		return false, s.leftNamespace(ctx)
	}
	return true, nil
}

// empties waits until Deployment, ReplicaSets and pods are gone, and tells how many are left.
func (s *session) empties(ctx context.Context) error {
	most := 0
	return s.until(ctx, nil, func(sc scene) (bool, error) {
		left := len(sc.of(pods))
		most = max(most, left)
		if s.r.Progress != nil {
			s.r.Progress(event.Progress{Message: "pods end", Done: most - left, Total: most})
		}
		return left+len(sc.of(replicaSets))+len(sc.of(deployments)) == 0, nil
	}, deployments, replicaSets, pods)
}

// nothingLeft proves that the step has nothing any more but volumes that are to be kept.
func (s *session) nothingLeft(ctx context.Context) error {
	return s.until(ctx, nil, func(sc scene) (bool, error) {
		for _, k := range ours {
			for _, o := range sc.of(k) {
				if s.mine(o) && !kept(o) {
					return false, nil
				}
			}
		}
		return true, nil
	}, ours...)
}

// presence is what an Observation says of what there is; volumes that are kept do not count.
func (s *session) presence(ctx context.Context) (event.Presence, map[string][]live, error) {
	there, err := s.inhabitedNow(ctx)
	if err != nil {
		return event.PresenceUnknown, nil, err
	}
	found, count := map[string][]live{}, 0
	for _, k := range append(append([]kind{}, ours...), derived...) {
		if !there {
			break
		}
		_, all, err := s.listed(ctx, k)
		if err != nil {
			return event.PresenceUnknown, nil, fault.From(err)
		}
		for _, o := range all {
			if k == replicaSets || k == pods || s.mine(o) && !kept(o) {
				count++
			}
			found[k.Resource] = append(found[k.Resource], o)
		}
	}
	if count == 0 {
		return event.Absent, found, nil
	}
	return event.Present, found, nil
}

func (s *session) inhabitedNow(ctx context.Context) (bool, error) {
	if !s.at.own {
		return !s.options.Pending, nil
	}
	o, err := s.get(ctx, namespaces, s.at.namespace)
	return o != nil, err
}
