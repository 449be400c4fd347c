package helm

import (
	"encoding/json"
	"errors"
	"reflect"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/release"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// maxHistory is how many revisions Helm keeps the records of.
const maxHistory = 10

// render makes the release as an apply would, without changing anything. Names that are taken are not looked for: see free.
func (s *session) render(found []*release.Release, c *chart.Chart) (rel *release.Release, err error) {
	values, err := s.values()
	if err != nil {
		return nil, err
	}
	if s.upgrades(found) {
		u := s.upgrade()
		u.DryRun, u.DryRunOption, u.TakeOwnership = true, "server", true
		rel, err = u.RunWithContext(s.ctx, s.name, c, values)
	} else {
		i := s.install()
		// A record that is in the way is removed before an install.
		i.DryRun, i.DryRunOption, i.TakeOwnership, i.Replace = true, "server", true, true
		rel, err = i.RunWithContext(s.ctx, c, values)
	}
	if err != nil {
		return nil, s.fault(err, fault.GiveUp, "rendered")
	}
	return rel, nil
}

// unknownKinds tells whether a chart could not be rendered because it brings the definitions of its own objects, which are not there
// yet.
func unknownKinds(err error, c *chart.Chart) bool {
	var missing *meta.NoKindMatchError
	return errors.As(err, &missing) && len(c.CRDObjects()) > 0
}

// upgrades tells whether the next apply is an upgrade: of what is there, or failed; all else is installed anew.
func (s *session) upgrades(found []*release.Release) bool {
	rel := last(found)
	switch {
	case rel == nil, ending(rel):
		return false
	case rel.Info.Status == release.StatusFailed, everDeployed(found):
		return true
	}
	return false
}

func (s *session) install() *action.Install {
	i := action.NewInstall(s.helm)
	i.ReleaseName, i.Namespace, i.Timeout = s.name, s.namespace, s.block.timeout
	i.Wait, i.WaitForJobs, i.SkipCRDs = s.block.waits(), s.block.waits(), s.block.SkipCRDs
	i.Labels = map[string]string{labelRelease: idOf(s.r)}
	return i
}

func (s *session) upgrade() *action.Upgrade {
	u := action.NewUpgrade(s.helm)
	u.Namespace, u.Timeout, u.MaxHistory = s.namespace, s.block.timeout, maxHistory
	u.Wait, u.WaitForJobs, u.Atomic = s.block.waits(), s.block.waits(), s.block.Atomic
	u.ResetValues = true // the block says all
	u.Labels = map[string]string{labelRelease: idOf(s.r)}
	return u
}

// values are a copy of the block's, since Helm adds to what it is given.
func (s *session) values() (map[string]any, error) {
	text, err := json.Marshal(s.block.Values)
	if err != nil {
		return nil, fault.Wrap(err, fault.GiveUp, fault.Internal, "the values of %s can't be written as JSON", s.r.Step)
	}
	b, err := decode(requestOf(text))
	return b.Values, err
}

// same tells whether a release was made of the same chart with the same values.
func (s *session) same(rel *release.Release, c *chart.Chart) bool {
	return rel.Chart != nil && rel.Chart.Metadata != nil && rel.Chart.Metadata.Annotations[annotationFiles] == c.Metadata.Annotations[annotationFiles] &&
		equal(rel.Config, s.block.Values)
}

// equal compares values as JSON, of which those that are kept were read.
func equal(a, b map[string]any) bool {
	if len(a) == 0 && len(b) == 0 {
		return true
	}
	return reflect.DeepEqual(plain(a), plain(b))
}

func plain(values map[string]any) (v any) {
	text, err := json.Marshal(values)
	if err == nil {
		err = json.Unmarshal(text, &v)
	}
	if err != nil {
		return nil
	}
	return v
}
