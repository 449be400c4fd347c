package helm

import (
	"errors"

	"helm.sh/helm/v3/pkg/release"
	"helm.sh/helm/v3/pkg/releaseutil"
	"helm.sh/helm/v3/pkg/storage/driver"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// history are the revisions of the release by their numbers, nil where there is none. One of somebody else is fault.Exists.
func (s *session) history() ([]*release.Release, error) {
	found, err := s.anybodys()
	if err != nil || len(found) == 0 {
		return nil, err
	}
	if last := found[len(found)-1]; !marked(s.r, last) {
		return nil, fault.New(fault.GiveUp, fault.Exists, "%s can't have the release %q in the namespace %s of Kubernetes at %s: %s; uninstall it there, or give the resource another name",
			s.r.Step, s.name, s.namespace, s.address, owner(last))
	}
	s.veilMore(found)
	return found, nil
}

// ours is history to those who only want to know of their own.
func (s *session) ours() ([]*release.Release, error) {
	found, err := s.history()
	if fault.Is(err, fault.Exists) {
		return nil, nil
	}
	return found, err
}

func (s *session) anybodys() ([]*release.Release, error) {
	found, err := s.helm.Releases.History(s.name)
	if errors.Is(err, driver.ErrReleaseNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, s.fault(err, fault.Retry, "looked for")
	}
	releaseutil.SortByRevision(found)
	return found, nil
}

// veilMore hides what was secret in earlier revisions, too.
func (s *session) veilMore(found []*release.Release) {
	var secrets []string
	for _, rel := range found {
		secrets = append(secrets, formerly(rel)...)
	}
	s.veil = newVeil(s.r, secrets...)
}

func last(found []*release.Release) *release.Release {
	if len(found) == 0 {
		return nil
	}
	return found[len(found)-1]
}

// deployed is the revision whose objects are there: the one that is deployed, or else the last one.
func deployed(found []*release.Release) *release.Release {
	for i := len(found) - 1; i >= 0; i-- {
		if found[i].Info.Status == release.StatusDeployed {
			return found[i]
		}
	}
	return last(found)
}

// everDeployed tells whether the release was complete once.
func everDeployed(found []*release.Release) bool {
	for _, rel := range found {
		if rel.Info.Status == release.StatusDeployed || rel.Info.Status == release.StatusSuperseded {
			return true
		}
	}
	return false
}

// ending tells whether somebody has begun to uninstall the release, or has done so and kept its record.
func ending(rel *release.Release) bool {
	return rel.Info.Status == release.StatusUninstalling || rel.Info.Status == release.StatusUninstalled
}
