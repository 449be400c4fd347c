package helm

import (
	"context"
	"encoding/json"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/release"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Apply installs or upgrades the release, or does nothing where it and all of its objects are as they should be. One that was left in
// the middle is finished first.
func (e *Executor) Apply(ctx context.Context, r executor.Request) (executor.Outputs, error) {
	s, err := e.begin(ctx, r, false)
	if err != nil {
		return nil, err
	}
	c, err := s.chart()
	if err != nil {
		return nil, err
	}
	found, err := s.history()
	if err != nil {
		return nil, err
	}
	if s.own {
		if err := e.options.Cluster.Enter(ctx, r); err != nil {
			return nil, err
		}
	}
	if found, err = s.recovered(found); err != nil {
		return nil, err
	}
	rel, err := s.carryOut(found, c)
	if err != nil {
		return nil, err
	}
	return s.outputs(rel), nil
}

// recovered finishes what another attempt, or a runner that was lost, left in the middle: an upgrade counts as failed, and the next
// one goes on from what is there; an install is taken back, since nobody knows how far its hooks came; an uninstall is ended.
func (s *session) recovered(found []*release.Release) ([]*release.Release, error) {
	rel := last(found)
	switch {
	case rel == nil || !rel.Info.Status.IsPending() && !ending(rel):
		return found, nil
	case ending(rel), !everDeployed(found):
		s.say("the release %s was left as %s: what is there of it goes first", s.name, rel.Info.Status)
		return nil, s.uninstall(found)
	}
	s.say("the release %s was left as %s in revision %d: it goes on from there", s.name, rel.Info.Status, rel.Version)
	rel.SetStatus(release.StatusFailed, "interrupted")
	if err := s.helm.Releases.Update(rel); err != nil {
		return nil, s.fault(err, fault.Retry, "recovered")
	}
	return found, nil
}

func (s *session) carryOut(found []*release.Release, c *chart.Chart) (*release.Release, error) {
	is := last(found)
	if is != nil && is.Info.Status == release.StatusDeployed && s.same(is, c) {
		drifted, err := s.drift(is, true)
		if err != nil {
			return nil, err
		}
		if len(drifted) == 0 {
			s.say("nothing to change: the release %s and its objects are as they should be", s.name)
			return is, nil
		}
	}
	rendered, err := s.render(found, c)
	switch {
	case err == nil:
		err = s.free(rendered, deployed(found), true)
	case unknownKinds(err, c):
		err = nil
	}
	if err != nil {
		return nil, err
	}
	if c, err = s.chart(); err != nil { // the dry run has changed the first
		return nil, err
	}
	if s.upgrades(found) {
		return s.upgraded(c)
	}
	return s.installed(c)
}

func (s *session) installed(c *chart.Chart) (*release.Release, error) {
	values, err := s.values()
	if err != nil {
		return nil, err
	}
	// Helm would leave the work behind if it had a context; every request and wait of it has ours.
	rel, err := s.install().RunWithContext(context.Background(), c, values)
	if err == nil {
		s.say("installed %s as %s", versionOf(c), s.name)
		return rel, nil
	}
	err = s.fault(err, fault.Retry, "installed")
	if s.block.Atomic && s.ctx.Err() == nil {
		s.takeBack()
	}
	return nil, err
}

// takeBack removes what an install that failed has made. Where that fails as well, the next attempt goes on from there.
func (s *session) takeBack() {
	s.mu.Lock()
	s.failed = nil
	s.mu.Unlock()
	found, err := s.history()
	if err == nil {
		err = s.uninstall(found)
	}
	if err != nil {
		s.say("what was installed could not be taken back: %s", s.said(err))
		return
	}
	s.say("took back what was installed of %s", s.name)
}

func (s *session) upgraded(c *chart.Chart) (*release.Release, error) {
	values, err := s.values()
	if err != nil {
		return nil, err
	}
	rel, err := s.upgrade().RunWithContext(context.Background(), s.name, c, values)
	if err == nil {
		s.say("upgraded %s to %s, revision %d", s.name, versionOf(c), rel.Version)
		return rel, nil
	}
	if err = s.fault(err, fault.Retry, "upgraded"); s.block.Atomic && s.ctx.Err() == nil {
		s.say("the upgrade of %s failed, and was rolled back as far as it could be", s.name)
	}
	return nil, err
}

func (s *session) outputs(rel *release.Release) executor.Outputs {
	out := executor.Outputs{}
	version, app := "", ""
	if rel.Chart != nil && rel.Chart.Metadata != nil {
		version, app = rel.Chart.Metadata.Version, rel.Chart.Metadata.AppVersion
	}
	for name, value := range map[string]any{"name": s.name, "namespace": s.namespace, "revision": rel.Version, "chart_version": version, "app_version": app,
		"manifest": s.fingerprint(rel)} {
		text, err := json.Marshal(value)
		if err != nil {
			text = []byte("null") // texts and numbers can always be written
		}
		out[name] = executor.Value{Value: text, Sensitive: s.r.Holds(text)}
	}
	return out
}
