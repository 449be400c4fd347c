package helm

import (
	"context"
	"errors"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/kube"
	"helm.sh/helm/v3/pkg/release"
	"helm.sh/helm/v3/pkg/storage/driver"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/resource"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Destroy uninstalls the release, and returns when nothing is left of it but what the chart keeps: its record goes last.
func (e *Executor) Destroy(ctx context.Context, r executor.Request) error {
	s, err := e.begin(ctx, r, true)
	if err != nil {
		return err
	}
	found, err := s.ours()
	if err != nil {
		return err
	}
	if err := s.uninstall(found); err != nil || !s.own {
		return err
	}
	return e.options.Cluster.Leave(ctx, r)
}

// uninstall has Helm do its part, with hooks, and removes then what Helm forgets: objects of other revisions, and those of hooks. The
// records go last, so that whoever is interrupted, or fails, is found again.
func (s *session) uninstall(found []*release.Release) error {
	rel := last(found)
	if rel == nil {
		return nil
	}
	if rel.Info.Status != release.StatusUninstalled {
		u := action.NewUninstall(s.helm)
		u.KeepHistory, u.Wait, u.Timeout, u.DeletionPropagation = true, true, s.block.timeout, "foreground"
		if _, err := u.Run(s.name); err != nil {
			return s.fault(err, fault.Retry, "uninstalled")
		}
	}
	found, err := s.anybodys() // with the hooks that have just run
	if err != nil {
		return err
	}
	if err := s.sweep(found); err != nil {
		return err
	}
	for _, rel := range found {
		if _, err := s.helm.Releases.Delete(rel.Name, rel.Version); err != nil && !errors.Is(err, driver.ErrReleaseNotFound) {
			return s.fault(err, fault.Retry, "forgotten")
		}
	}
	if left, err := s.anybodys(); err != nil || len(left) > 0 {
		if err == nil {
			err = fault.New(fault.Retry, fault.Conflict, "somebody has installed the release %s anew while it was removed", s.name)
		}
		return err
	}
	s.say("removed the release %s", s.name)
	return nil
}

// sweep removes what is left of any revision, and proves that nothing is.
func (s *session) sweep(found []*release.Release) error {
	var left kube.ResourceList
	for _, manifest := range manifestsOf(found) {
		list, err := s.leftOf(manifest, false)
		if err != nil {
			return err
		}
		left = append(left, list...)
	}
	for _, rel := range found {
		for _, h := range rel.Hooks {
			if h.LastRun.StartedAt.IsZero() {
				continue // it was never made by us
			}
			list, err := s.leftOf(h.Manifest, true)
			if err != nil {
				return err
			}
			left = append(left, list...)
		}
	}
	for _, o := range left {
		if err := s.remove(o); err != nil {
			return err
		}
	}
	return s.kube.WaitForDelete(left, s.block.timeout)
}

// leftOf are the objects of a manifest that are still there, and the release's. Those of hooks have nothing that says so.
func (s *session) leftOf(manifest string, hook bool) (left kube.ResourceList, err error) {
	list, err := s.built(manifest)
	if err != nil {
		return nil, err
	}
	for _, o := range list {
		is, err := s.find(o)
		if err != nil {
			return nil, err
		}
		if is == nil || is.GetAnnotations()[kube.ResourcePolicyAnno] == kube.KeepPolicy || !hook && !s.has(is) {
			continue
		}
		left = append(left, o)
	}
	return left, nil
}

func (s *session) remove(o *resource.Info) error {
	foreground := metav1.DeletePropagationForeground
	ctx, cancel := context.WithTimeout(s.ctx, requestTimeout)
	defer cancel()
	err := s.resource(o).Delete(ctx, o.Name, metav1.DeleteOptions{PropagationPolicy: &foreground})
	if err != nil && !apierrors.IsNotFound(err) {
		return s.fault(err, fault.Retry, "removed")
	}
	s.say("removed the %s", title(o))
	return nil
}
