package kubernetes

import (
	"bytes"
	"context"
	"encoding/json"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// live is an object as the cluster has it; nil where there is none.
type live = *unstructured.Unstructured

// get reads an object by its name, whoever's it is.
func (s *session) get(ctx context.Context, k kind, name string) (live, error) {
	bounded, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	o, err := s.of(k).Get(bounded, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, s.fault(ctx, toGet, k, err)
	}
	return o, nil
}

// claimed reads an object that is ours or nobody's.
func (s *session) claimed(ctx context.Context, k kind, name string) (live, error) {
	o, err := s.get(ctx, k, name)
	if err == nil && o != nil && !s.mine(o) {
		return nil, s.taken(k, o)
	}
	return o, err
}

// list finds the step's objects of a kind by their label; those whose annotations say otherwise are left out.
func (s *session) list(ctx context.Context, k kind) ([]live, error) {
	bounded, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	list, err := s.of(k).List(bounded, metav1.ListOptions{LabelSelector: s.at.selector()})
	if err != nil {
		return nil, s.fault(ctx, toList, k, err)
	}
	var found []live
	for i := range list.Items {
		if s.mine(&list.Items[i]) {
			found = append(found, &list.Items[i])
		}
	}
	return found, nil
}

// apply writes an object. One that is there has to be the one that was read, and one that was not there has to be made by us:
// only what is ours is taken over by force.
func (s *session) apply(ctx context.Context, o object, was live, dry bool) (live, error) {
	body, err := o.pinned(was)
	if err != nil {
		return nil, err
	}
	force := was != nil
	options := metav1.PatchOptions{FieldManager: fieldManager, Force: &force, FieldValidation: metav1.FieldValidationStrict}
	if dry {
		options.DryRun = []string{metav1.DryRunAll}
	}
	bounded, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	return s.of(o.kind).Patch(bounded, o.name, types.ApplyPatchType, body, options)
}

// pinned is the body with the id of the object that it is for.
func (o object) pinned(was live) ([]byte, error) {
	if was == nil {
		return o.body, nil
	}
	var body map[string]any
	if err := json.Unmarshal(o.body, &body); err != nil {
		return nil, fault.Wrap(err, fault.GiveUp, fault.Internal, "a %s can't be read as JSON", o.kind.name)
	}
	if metadata, ok := body["metadata"].(map[string]any); ok {
		metadata["uid"] = string(was.GetUID())
	}
	return json.Marshal(body)
}

// make applies an object and tells whether that changed something.
func (s *session) make(ctx context.Context, o object) (live, bool, error) {
	was, err := s.claimed(ctx, o.kind, o.name)
	if err != nil {
		return nil, false, err
	}
	if was != nil && was.GetDeletionTimestamp() != nil || replaces(o, was) {
		if err := s.remove(ctx, o.kind, was); err != nil {
			return nil, false, err
		}
		if err := s.vanished(ctx, o.kind, was.GetUID()); err != nil {
			return nil, false, err
		}
		was = nil
	}
	is, err := s.apply(ctx, o, was, false)
	if err != nil {
		return nil, false, s.fault(ctx, toPatch, o.kind, err)
	}
	changed := was == nil || was.GetResourceVersion() != is.GetResourceVersion()
	if changed {
		s.say(s.r.Mask(written(was) + " the " + o.kind.name + " " + o.name))
	}
	return is, changed, nil
}

func written(was live) string {
	if was == nil {
		return "created"
	}
	return "changed"
}

// replaces tells whether a Service has to be made anew: one with an address of its own can't become one without, or
// the other way about.
func replaces(o object, was live) bool {
	if o.kind != services || was == nil {
		return false
	}
	ip, _, _ := unstructured.NestedString(was.Object, "spec", "clusterIP")
	return (ip == "None") != bytes.Contains(o.body, []byte(`"clusterIP":"None"`))
}

// remove deletes an object that was read, and with it, before it, what was made of it. That it is gone already is success.
func (s *session) remove(ctx context.Context, k kind, o live) error {
	uid, foreground := o.GetUID(), metav1.DeletePropagationForeground
	bounded, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	err := s.of(k).Delete(bounded, o.GetName(), metav1.DeleteOptions{
		Preconditions: &metav1.Preconditions{UID: &uid}, PropagationPolicy: &foreground,
	})
	switch {
	case apierrors.IsNotFound(err), apierrors.IsConflict(err): // it, or the one that was read, is not there
		return nil
	case err != nil:
		return s.fault(ctx, toDelete, k, err)
	}
	s.say(s.r.Mask("removed the " + k.name + " " + o.GetName()))
	return nil
}

// as reads an object into one of Kubernetes' types; what it does not know is left out.
func as[T any](o live) (t T, err error) {
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &t); err != nil {
		return t, fault.Wrap(err, fault.Retry, fault.Unreadable, "the %s %q of Kubernetes can't be read", o.GetKind(), o.GetName())
	}
	return t, nil
}
