package kubernetes

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Observe looks at what there is, and compares it with what an apply of the same block would make of it.
func (e *Executor) Observe(ctx context.Context, r executor.Request) (event.Observation, error) {
	s, err := e.begin(ctx, r, true)
	if err != nil {
		return event.Observation{Presence: event.PresenceUnknown}, err
	}
	presence, found, err := s.presence(ctx)
	o := event.Observation{Presence: presence}
	if err != nil {
		return o, err
	}
	if presence == event.Absent {
		if r.Outputs != nil { // it was applied once
			o.Drifted, o.Differences = true, []event.Difference{{Path: deployments.name + " " + s.at.name, Change: event.ChangeDestroy}}
		}
		return o, nil
	}
	s, err = e.begin(ctx, r, false)
	if err != nil {
		return o, nil // it is there, and nothing can be said about how it should be
	}
	want, err := s.render()
	if err != nil {
		return o, err
	}
	o.Differences, err = s.behind(ctx, want, found)
	o.Differences = append(o.Differences, s.ailing(found[deployments.Resource])...)
	o.Drifted = len(o.Differences) > 0
	return o, err
}

// behind compares how the objects should be with how they are.
func (s *session) behind(ctx context.Context, want wanted, found map[string][]live) (differences []event.Difference, err error) {
	names := map[string]bool{}
	for _, o := range want.all() {
		names[o.kind.Resource+"/"+o.name] = true
		var was live
		for _, f := range found[o.kind.Resource] {
			if f.GetName() == o.name {
				was = f
			}
		}
		if was != nil && !s.mine(was) {
			return nil, s.taken(o.kind, was)
		}
		should, err := s.would(ctx, o, was, was != nil)
		if err != nil {
			return nil, err
		}
		differences = append(differences, s.compare(o.kind, o.name, should, was)...)
	}
	for _, k := range ours {
		for _, f := range found[k.Resource] {
			if s.mine(f) && !kept(f) && !names[k.Resource+"/"+f.GetName()] {
				differences = append(differences, s.compare(k, f.GetName(), nil, f)...)
			}
		}
	}
	return differences, nil
}

// ailing tells how many replicas are healthy, when that is fewer than there should be.
func (s *session) ailing(found []live) []event.Difference {
	for _, o := range found {
		if d, err := as[appsv1.Deployment](o); err == nil && int(d.Status.AvailableReplicas) < s.block.Replicas {
			return []event.Difference{{Path: "healthy replicas", Change: event.ChangeUpdate,
				Before: strconv.Itoa(s.block.Replicas), After: strconv.Itoa(int(d.Status.AvailableReplicas))}}
		}
	}
	return nil
}

// parse reads what we would write.
func (o object) parse() (live, error) {
	var fields map[string]any
	if err := json.Unmarshal(o.body, &fields); err != nil {
		return nil, fault.Wrap(err, fault.GiveUp, fault.Internal, "a %s can't be read as JSON", o.kind.name)
	}
	return &unstructured.Unstructured{Object: fields}, nil
}

func hasKind(path string, k kind) bool {
	return strings.HasPrefix(path, k.name+" ") && !strings.Contains(path, ":")
}
