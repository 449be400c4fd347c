package kubernetes

import (
	"context"
	"encoding/json"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/vivarium-env/vivarium/pkg/executor/container"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// stepPrefix begins the annotations of a namespace that name the steps which have something in it: the last to leave removes
// it, if it was made for the environment.
const stepPrefix = "step.vivarium/"

func (s *session) stepAnnotation() string { return stepPrefix + s.at.id }

// enter makes the environment's namespace where it is not there, and notes in it that the step is going to use it. One that is
// being removed is waited for.
func (s *session) enter(ctx context.Context) error {
	if !s.at.own {
		return nil
	}
	for {
		is, err := s.get(ctx, namespaces, s.at.namespace)
		if err != nil {
			return err
		}
		if is == nil {
			if err := s.found(ctx); err != nil {
				return err
			}
		}
		if is == nil || is.GetAnnotations()[s.stepAnnotation()] != s.r.Step {
			if is, err = s.note(ctx, s.r.Step); err != nil {
				return err
			}
		}
		if is != nil && is.GetDeletionTimestamp() == nil {
			return nil
		}
		if err := s.leftNamespace(ctx); err != nil {
			return err
		}
	}
}

// found makes the namespace; that another step has done so meanwhile is as good.
func (s *session) found(ctx context.Context) error {
	o := newObject(namespaces, s.at.namespace, corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name:   s.at.namespace,
		Labels: map[string]string{"app.kubernetes.io/managed-by": fieldManager}, Annotations: map[string]string{container.LabelEnvironment: s.r.Environment},
	}})
	_, err := s.apply(ctx, o, nil, false)
	if err != nil && !apierrors.IsConflict(err) {
		return s.fault(ctx, toPatch, namespaces, err)
	}
	return nil
}

// note sets or, with nil, removes the step's annotation of the namespace, and returns that, nil where there is none.
func (s *session) note(ctx context.Context, value any) (live, error) {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]any{s.stepAnnotation(): value}}})
	if err != nil {
		return nil, err
	}
	bounded, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	is, err := s.of(namespaces).Patch(bounded, s.at.namespace, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: fieldManager + "-" + s.at.id})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, s.fault(ctx, toPatch, namespaces, err)
	}
	return is, nil
}

// leave takes back what enter did. The last step to leave removes the namespace if it is the environment's own and empty: a step
// that enters meanwhile changes the namespace, and so this does not remove it.
func (s *session) leave(ctx context.Context) error {
	if !s.at.own {
		return nil
	}
	o, err := s.note(ctx, nil)
	if err != nil || o == nil {
		return err
	}
	if o.GetDeletionTimestamp() != nil {
		return s.leftNamespace(ctx)
	}
	if o.GetAnnotations()[container.LabelEnvironment] != s.r.Environment || inUse(o) {
		return nil
	}
	if empty, err := s.empty(ctx); err != nil || !empty {
		return err
	}
	return s.removeNamespace(ctx, o)
}

func (s *session) removeNamespace(ctx context.Context, o live) error {
	uid, version := o.GetUID(), o.GetResourceVersion()
	bounded, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	err := s.of(namespaces).Delete(bounded, s.at.namespace, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid, ResourceVersion: &version}})
	switch {
	case apierrors.IsConflict(err):
		return nil // somebody has entered
	case err != nil && !apierrors.IsNotFound(err):
		return s.fault(ctx, toDelete, namespaces, err)
	}
	s.say("removed the namespace " + s.at.namespace)
	return s.leftNamespace(ctx)
}

func inUse(namespace live) bool {
	for name := range namespace.GetAnnotations() {
		if len(name) > len(stepPrefix) && name[:len(stepPrefix)] == stepPrefix {
			return true
		}
	}
	return false
}

// empty tells whether nobody has anything in the namespace but what Kubernetes puts into each.
func (s *session) empty(ctx context.Context) (bool, error) {
	for _, k := range append(append([]kind{}, ours...), derived...) {
		bounded, cancel := context.WithTimeout(ctx, s.options.Timeout)
		list, err := s.of(k).List(bounded, metav1.ListOptions{})
		cancel()
		if err != nil {
			return false, s.fault(ctx, toList, k, err)
		}
		for _, o := range list.Items {
			if k != configMaps || o.GetName() != "kube-root-ca.crt" {
				return false, nil
			}
		}
	}
	return true, nil
}

// leftNamespace waits until a namespace that is being removed is gone.
func (s *session) leftNamespace(ctx context.Context) error {
	list, err := s.of(namespaces).List(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + s.at.namespace})
	if err != nil {
		return s.fault(ctx, toList, namespaces, err)
	}
	if len(list.Items) == 0 {
		return nil
	}
	w, err := s.of(namespaces).Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + s.at.namespace, ResourceVersion: list.GetResourceVersion()})
	if err != nil {
		return s.fault(ctx, toWatch, namespaces, err)
	}
	defer w.Stop()
	for e := range w.ResultChan() {
		if e.Type == "DELETED" {
			return nil
		}
	}
	if ctx.Err() != nil {
		return fault.From(ctx.Err())
	}
	return fault.New(fault.Retry, fault.Busy, "the namespace %s of Kubernetes at %s is still being removed", s.at.namespace, s.c.address)
}
