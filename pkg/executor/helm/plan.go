package helm

import (
	"context"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/release"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/internal/objects"
)

// Plan renders the chart as an apply would and compares.
func (e *Executor) Plan(ctx context.Context, r executor.Request, verb event.Verb) (executor.Plan, error) {
	if verb == event.Destruct {
		return e.planDestroy(ctx, r)
	}
	// What is not known yet is null, and that is no chart, nor a name.
	s, err := e.begin(ctx, r, len(r.Unknown) > 0)
	if err != nil {
		return executor.Plan{}, err
	}
	found, err := s.history()
	if err != nil {
		return executor.Plan{}, err
	}
	switch {
	case len(r.Unknown) > 0 && last(found) == nil:
		return planned(event.Plan{Change: event.ChangeCreate}), nil // whatever it will be, there is none yet
	case len(r.Unknown) > 0:
		return planned(event.Plan{Change: event.ChangeUnknown, Until: r.Until()}), nil
	}
	c, err := s.chart()
	if err != nil {
		return executor.Plan{}, err
	}
	differences, err := s.ahead(found, c)
	if err != nil {
		return executor.Plan{}, err
	}
	p := event.Plan{Change: event.ChangeUpdate, Differences: differences}
	switch {
	case last(found) == nil:
		p.Change = event.ChangeCreate
	case len(differences) == 0:
		p.Change = event.ChangeNone
	}
	return planned(p), nil
}

func planned(p event.Plan) executor.Plan { return executor.Plan{Plan: p} }

// ahead is what an apply would change: in the release, in what is rendered, and of what was changed behind its back.
func (s *session) ahead(found []*release.Release, c *chart.Chart) ([]event.Difference, error) {
	is := deployed(found)
	if is == nil {
		return s.created(found, c)
	}
	var differences []event.Difference
	if l := last(found); l.Info.Status != release.StatusDeployed {
		differences = append(differences, event.Difference{Path: "status", Change: event.ChangeUpdate, Before: string(l.Info.Status), After: string(release.StatusDeployed)})
	}
	if !s.same(is, c) {
		differences = append(differences, s.release(is, c)...)
	}
	// Helm renders no upgrade of what is in the middle of one.
	if !s.same(is, c) && !(last(found).Info.Status.IsPending() && s.upgrades(found)) {
		rendered, err := s.render(found, c)
		if err != nil {
			return nil, err
		}
		differences = append(differences, s.manifests(is, rendered)...)
	}
	drifted, err := s.drift(is, true)
	return merged(differences, drifted), err
}

// created is what an install would make.
func (s *session) created(found []*release.Release, c *chart.Chart) ([]event.Difference, error) {
	differences := []event.Difference{{Path: "chart", Change: event.ChangeCreate, After: s.veil.mask(versionOf(c))}}
	rendered, err := s.render(found, c)
	if unknownKinds(err, c) {
		return differences, nil
	}
	if err != nil {
		return nil, err
	}
	if err := s.free(rendered, nil, false); err != nil {
		return nil, err
	}
	return append(differences, s.manifests(nil, rendered)...), nil
}

// release compares what a release was made of with what it would be made of.
func (s *session) release(is *release.Release, c *chart.Chart) (differences []event.Difference) {
	was, will := versionOf(is.Chart), versionOf(c)
	if was == will && (is.Chart == nil || is.Chart.Metadata.Annotations[annotationFiles] != c.Metadata.Annotations[annotationFiles]) {
		was += " with other files"
	}
	if was != will {
		differences = append(differences, event.Difference{Path: "chart", Change: event.ChangeUpdate, Before: s.veil.mask(was), After: s.veil.mask(will)})
	}
	before, after := objects.Of(map[string]any{"values": is.Config}, nil), objects.Of(map[string]any{"values": s.block.Values}, nil)
	return append(differences, s.compared("", false, before, after)...)
}

func versionOf(c *chart.Chart) string {
	if c == nil || c.Metadata == nil {
		return ""
	}
	return c.Metadata.Name + " " + c.Metadata.Version
}

// merged leaves out what is said already.
func merged(all, more []event.Difference) []event.Difference {
	said := map[string]bool{}
	for _, d := range all {
		said[d.Path] = true
	}
	for _, d := range more {
		if !said[d.Path] {
			all = append(all, d)
		}
	}
	return all
}

func (e *Executor) planDestroy(ctx context.Context, r executor.Request) (executor.Plan, error) {
	s, err := e.begin(ctx, r, true)
	if err != nil {
		return executor.Plan{}, err
	}
	found, err := s.ours()
	if err != nil || last(found) == nil {
		return planned(event.Plan{Change: event.ChangeNone}), err
	}
	is := deployed(found)
	p := event.Plan{Change: event.ChangeDestroy, Differences: []event.Difference{{Path: "chart", Change: event.ChangeDestroy, Before: s.veil.mask(versionOf(is.Chart))}}}
	p.Differences = append(p.Differences, s.manifests(is, nil)...)
	return planned(p), nil
}
