package kubernetes

import (
	"context"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// revisionAnnotation is on a Deployment and its ReplicaSets; the newest have the same.
const revisionAnnotation = "deployment.kubernetes.io/revision"

// isNew tells whether a pod is of the newest revision of the step's Deployment.
func (s scene) isNew(pod live) bool {
	owner := metav1.GetControllerOf(pod)
	if owner == nil || s.of(replicaSets)[owner.UID] == nil {
		return false
	}
	set := s.of(replicaSets)[owner.UID]
	for _, d := range s.of(deployments) {
		if metav1.IsControlledBy(set, d) && set.GetAnnotations()[revisionAnnotation] == d.GetAnnotations()[revisionAnnotation] {
			return true
		}
	}
	return false
}

// freshen removes pods that wait longer and longer before they are tried again: who applies anew wants to see it tried now.
func (s *session) freshen(ctx context.Context) error {
	_, all, err := s.listed(ctx, pods)
	if err != nil {
		return err
	}
	for _, o := range all {
		p, err := as[corev1.Pod](o)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(p.Status.ContainerStatuses, func(c corev1.ContainerStatus) bool {
			return c.State.Waiting != nil && strings.HasSuffix(c.State.Waiting.Reason, "BackOff")
		}) {
			if err := s.remove(ctx, pods, o); err != nil {
				return err
			}
		}
	}
	return nil
}
