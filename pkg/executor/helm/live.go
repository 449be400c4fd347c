package helm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"

	"helm.sh/helm/v3/pkg/kube"
	"helm.sh/helm/v3/pkg/release"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/cli-runtime/pkg/resource"
	"k8s.io/client-go/dynamic"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor/internal/objects"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// How Helm says whose an object is.
const (
	labelManager        = "app.kubernetes.io/managed-by"
	manager             = "Helm"
	annotationName      = "meta.helm.sh/release-name"
	annotationNamespace = "meta.helm.sh/release-namespace"
)

// lookManager is under what name the API server is asked what it would make of an object; nothing is ever written with it.
const lookManager = "vivarium-look"

// built are the objects of a manifest, as the cluster knows them.
func (s *session) built(manifest string) (kube.ResourceList, error) {
	list, err := s.kube.Build(bytes.NewBufferString(manifest), false)
	if err != nil {
		return nil, s.fault(err, fault.GiveUp, "compared with the cluster")
	}
	return list, nil
}

func (s *session) resource(o *resource.Info) dynamic.ResourceInterface {
	all := s.objects.Resource(o.Mapping.Resource)
	if o.Mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		return all.Namespace(o.Namespace)
	}
	return all
}

// find is an object as it is; nil where it is not there.
func (s *session) find(o *resource.Info) (*unstructured.Unstructured, error) {
	ctx, cancel := context.WithTimeout(s.ctx, requestTimeout)
	defer cancel()
	found, err := s.resource(o).Get(ctx, o.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, s.fault(err, fault.Retry, "compared with the cluster")
	}
	return found, nil
}

// drift compares the objects of a release with what is live: ahead tells what an apply would mend, else what has become other. What
// somebody has added, Helm leaves alone, and so it is none.
func (s *session) drift(rel *release.Release, ahead bool) (differences []event.Difference, err error) {
	list, err := s.built(rel.Manifest)
	if err != nil {
		return nil, err
	}
	for _, o := range list {
		is, err := s.find(o)
		if err != nil {
			return nil, err
		}
		if is == nil {
			change := event.ChangeDestroy
			if ahead {
				change = event.ChangeCreate
			}
			differences = append(differences, event.Difference{Path: s.veil.mask(title(o)), Change: change})
			continue
		}
		should, err := s.should(o, rel)
		if err != nil {
			return nil, err
		}
		before, after := objects.Of(should.Object, nil), objects.Of(is.Object, nil)
		if ahead {
			before, after = after, before
		}
		differences = append(differences, s.compared(title(o), o.Mapping.Resource.Resource == "secrets", before, after)...)
	}
	return differences, nil
}

// should is what the API server would make of an object if it were as the release has it: a dry run.
func (s *session) should(o *resource.Info, rel *release.Release) (*unstructured.Unstructured, error) {
	fields, err := meta.Accessor(o.Object)
	if err != nil {
		return nil, s.fault(err, fault.GiveUp, "compared with the cluster")
	}
	labels, annotations := copied(fields.GetLabels()), copied(fields.GetAnnotations())
	labels[labelManager] = manager
	annotations[annotationName], annotations[annotationNamespace] = rel.Name, rel.Namespace
	fields.SetLabels(labels)
	fields.SetAnnotations(annotations)
	text, err := json.Marshal(o.Object)
	if err != nil {
		return nil, s.fault(err, fault.GiveUp, "compared with the cluster")
	}
	ctx, cancel := context.WithTimeout(s.ctx, requestTimeout)
	defer cancel()
	force := true
	is, err := s.resource(o).Patch(ctx, o.Name, types.ApplyPatchType, text,
		metav1.PatchOptions{FieldManager: lookManager, Force: &force, DryRun: []string{metav1.DryRunAll}})
	if wrongType(err) {
		return nil, s.answered(veiled{err, s.veil.mask(err.Error())}, http.StatusBadRequest)
	}
	if err != nil {
		return nil, s.fault(err, fault.Retry, "compared with the cluster")
	}
	return is, nil
}

// wrongType tells whether an object has a value of a wrong type, for which the API server has no reason and says that the mistake is its own.
func wrongType(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status) && status.Status().Code == http.StatusInternalServerError && status.Status().Reason == metav1.StatusReasonUnknown
}

func copied(m map[string]string) map[string]string {
	c := map[string]string{}
	for name, value := range m {
		c[name] = value
	}
	return c
}

// free looks that none of the names of what is rendered is somebody else's; what was deployed before is the release's. With try the API
// server is asked besides whether it would take the objects, but those in a namespace that the chart itself may make.
func (s *session) free(rendered, was *release.Release, try bool) error {
	list, err := s.built(rendered.Manifest)
	if err != nil {
		return err
	}
	var before kube.ResourceList
	if was != nil {
		if before, err = s.built(was.Manifest); err != nil {
			return err
		}
	}
	for _, o := range list {
		is, err := s.find(o)
		if err != nil {
			return err
		}
		if is != nil && !s.has(is) && !before.Contains(o) {
			return fault.New(fault.GiveUp, fault.Exists, "%s can't have the %s in the namespace %s of Kubernetes at %s: it is there already and not of the release %s; remove it there, or give the resource another name",
				s.r.Step, s.veil.mask(title(o)), s.namespace, s.address, s.name)
		}
		if try && (o.Namespace == s.namespace || o.Namespace == "") {
			if _, err := s.should(o, rendered); err != nil {
				return err
			}
		}
	}
	return nil
}

// has tells whether an object says that it is of the release.
func (s *session) has(o *unstructured.Unstructured) bool {
	a := o.GetAnnotations()
	return o.GetLabels()[labelManager] == manager && a[annotationName] == s.name && a[annotationNamespace] == s.namespace
}

// manifestsOf are the manifests of all revisions, once each.
func manifestsOf(found []*release.Release) (all []string) {
	for _, rel := range found {
		all = append(all, rel.Manifest)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
