package kubernetes

import (
	"context"
	"slices"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
)

// Plan asks the API server what an apply would come to, without doing it (a dry run), and compares.
func (e *Executor) Plan(ctx context.Context, r executor.Request, verb event.Verb) (executor.Plan, error) {
	if verb == event.Destruct {
		return e.planDestroy(ctx, r)
	}
	if err := refuseAdoption(r); err != nil {
		return executor.Plan{}, err
	}
	s, err := e.begin(ctx, r, false)
	if err != nil {
		return executor.Plan{}, err
	}
	was, err := s.claimed(ctx, deployments, s.at.name)
	if err != nil {
		return executor.Plan{}, err
	}
	if len(r.Unknown) > 0 {
		if was == nil {
			return planned(event.Plan{Change: event.ChangeCreate}), nil // whatever it will be, there is none yet
		}
		return planned(event.Plan{Change: event.ChangeUnknown, Until: r.Until()}), nil
	}
	want, err := s.render()
	if err != nil {
		return executor.Plan{}, err
	}
	differences, err := s.ahead(ctx, want)
	if err != nil {
		return executor.Plan{}, err
	}
	plan := event.Plan{Change: event.ChangeUpdate, Differences: differences}
	switch {
	case len(differences) == 0:
		plan.Change = event.ChangeNone
	case was == nil:
		plan.Change = event.ChangeCreate
	}
	return planned(plan), nil
}

func planned(p event.Plan) executor.Plan { return executor.Plan{Plan: p} }

func (e *Executor) planDestroy(ctx context.Context, r executor.Request) (executor.Plan, error) {
	s, err := e.begin(ctx, r, true)
	if err != nil {
		return executor.Plan{}, err
	}
	presence, found, err := s.presence(ctx)
	if err != nil || presence == event.Absent {
		return planned(event.Plan{Change: event.ChangeNone}), err
	}
	plan := event.Plan{Change: event.ChangeDestroy}
	for _, k := range ours {
		for _, o := range found[k.Resource] {
			if s.mine(o) && !kept(o) {
				plan.Differences = append(plan.Differences, s.compare(k, o.GetName(), o, nil)...)
			}
		}
	}
	return planned(plan), nil
}

// ahead compares what there is with what an apply would make of it.
func (s *session) ahead(ctx context.Context, want wanted) (differences []event.Difference, err error) {
	there, err := s.inhabitedNow(ctx)
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, o := range want.all() {
		names[o.kind.Resource+"/"+o.name] = true
		d, err := s.trial(ctx, o, there)
		if err != nil {
			return nil, err
		}
		differences = append(differences, d...)
	}
	if !there {
		return differences, nil
	}
	for _, k := range ours {
		found, err := s.list(ctx, k)
		if err != nil {
			return nil, err
		}
		for _, o := range found {
			if !names[k.Resource+"/"+o.GetName()] && !kept(o) {
				differences = append(differences, s.compare(k, o.GetName(), o, nil)...)
			}
		}
	}
	return s.pair(differences), nil
}

// trial compares one object with what an apply would make of it.
func (s *session) trial(ctx context.Context, o object, there bool) ([]event.Difference, error) {
	var was live
	var err error
	if there {
		if was, err = s.claimed(ctx, o.kind, o.name); err != nil {
			return nil, err
		}
	}
	is, err := s.would(ctx, o, was, there)
	if err != nil {
		return nil, err
	}
	differences := s.compare(o.kind, o.name, was, is)
	if replaces(o, was) {
		for i := range differences {
			differences[i].Change = event.ChangeReplace
		}
	}
	return differences, nil
}

// would is what an apply would make of an object. Without its namespace, and for one that has to be made anew, the API server
// can't be asked: it is what we would write.
func (s *session) would(ctx context.Context, o object, was live, there bool) (live, error) {
	if !there || replaces(o, was) {
		return o.parse()
	}
	is, err := s.apply(ctx, o, was, true)
	return is, s.fault(ctx, toPatch, o.kind, err)
}

// pair leaves out the removal of a Secret or ConfigMap whose successor is made: that its content changes is one difference.
func (s *session) pair(differences []event.Difference) []event.Difference {
	made := func(k kind) bool {
		return slices.ContainsFunc(differences, func(d event.Difference) bool {
			return d.Change == event.ChangeCreate && hasKind(d.Path, k)
		})
	}
	var out []event.Difference
	secret, config := made(secrets), made(configMaps)
	for _, d := range differences {
		switch {
		case d.Change == event.ChangeDestroy && (hasKind(d.Path, secrets) && secret || hasKind(d.Path, configMaps) && config):
			continue
		}
		out = append(out, d)
	}
	return out
}
