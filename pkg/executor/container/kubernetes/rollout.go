package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor/container"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// annotationHealthy is on a Deployment and holds what was applied when its replicas were last healthy: what it returns to. It
// has no secret in it, since those are in a Secret.
const annotationHealthy = container.LabelPrefix + "healthy"

// annotationBytes is how much of all annotations together the API takes, with room for others.
const annotationBytes = 200_000

// roll applies the Deployment and waits until all replicas are its newest and healthy.
func (s *session) roll(ctx context.Context, o object) (changed bool, err error) {
	is, changed, err := s.make(ctx, o)
	if err != nil {
		return changed, err
	}
	if changed {
		s.say(s.r.Mask(fmt.Sprintf("rolling out %d of %s", s.block.Replicas, s.block.Image)))
	} else {
		if err := s.freshen(ctx); err != nil {
			return changed, err
		}
	}
	if err := s.healthy(ctx, is, time.Duration(s.block.Update.HealthTimeout)); err != nil {
		if errors.Is(err, errAlarm) {
			return changed, s.unhealthy(ctx, is, o)
		}
		return changed, err
	}
	return changed, s.record(ctx, is, o)
}

// record notes what was healthy.
func (s *session) record(ctx context.Context, is live, o object) error {
	note := string(o.body)
	if len(note) > annotationBytes {
		note = ""
	}
	if is.GetAnnotations()[annotationHealthy] == note {
		return nil
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid": is.GetUID(), "annotations": map[string]any{annotationHealthy: note},
	}})
	if err != nil {
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	_, err = s.of(deployments).Patch(bounded, s.at.name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: fieldManager + "-record"})
	return s.fault(ctx, toPatch, deployments, err)
}

// healthy waits until the Deployment's replicas are all of the revision that was applied, and healthy, and none of another
// is left. It ends with errAlarm when for as long as patience lasts no further replica got healthy, or one never can.
func (s *session) healthy(ctx context.Context, is live, patience time.Duration) error {
	alarm := time.NewTimer(patience)
	defer alarm.Stop()
	best := -1
	return s.until(ctx, alarm.C, func(sc scene) (bool, error) {
		o := sc.of(deployments)[is.GetUID()]
		if o == nil {
			return false, fault.New(fault.Retry, fault.Conflict, "somebody removed the Deployment %s of %s while it was rolled out", s.at.name, s.r.Step)
		}
		d, err := as[appsv1.Deployment](o)
		if err != nil || d.Status.ObservedGeneration < is.GetGeneration() {
			return false, err
		}
		if measure := advance(d); measure > best {
			best = measure
			alarm.Reset(patience)
		}
		if d.Spec.Replicas != nil && done(d, *d.Spec.Replicas) {
			return true, nil
		}
		s.progress(d, sc)
		if s.hopeless(sc) {
			return false, errAlarm
		}
		return false, nil
	}, deployments, replicaSets, pods)
}

// advance grows with every new replica that gets healthy, and with every old one that is gone.
func advance(d appsv1.Deployment) int {
	old := d.Status.Replicas - d.Status.UpdatedReplicas
	return int(min(d.Status.UpdatedReplicas, d.Status.AvailableReplicas))*1000 + max(0, 999-int(old))
}

func done(d appsv1.Deployment, replicas int32) bool {
	st := d.Status
	return st.UpdatedReplicas == replicas && st.Replicas == replicas && st.AvailableReplicas == replicas && st.ReadyReplicas == replicas &&
		st.UnavailableReplicas == 0
}

// progress tells how far the rollout is, and what holds up the pods that are not healthy.
func (s *session) progress(d appsv1.Deployment, sc scene) {
	if s.r.Progress == nil {
		return
	}
	healthy, all := int(min(d.Status.UpdatedReplicas, d.Status.AvailableReplicas)), s.block.Replicas
	message := fmt.Sprintf("%d of %d replicas are new and healthy", healthy, all)
	if troubles := s.troubles(sc); len(troubles) > 0 && healthy < all {
		message += ": " + troubles[0].text
	}
	s.r.Progress(event.Progress{Message: message, Done: healthy, Total: all})
}
