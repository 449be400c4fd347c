package helm

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/release"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/internal/bundle"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Annotations of the chart as it is kept with a release: whose it is in full, of which files, and where among its values secrets are.
// They are lost when somebody else upgrades it; its label is not.
const (
	annotationEnvironment = "vivarium.environment"
	annotationStep        = "vivarium.step"
	annotationFiles       = "vivarium.files"
	annotationWithheld    = "vivarium.withheld"
)

// labelRelease marks a release's record as a step's, by a hash of the environment and the step.
const labelRelease = "vivarium.release"

// chart reads the block's chart anew, since Helm changes what it is given, and marks it as the step's.
func (s *session) chart() (*chart.Chart, error) {
	c, err := s.unmarked()
	if err != nil {
		return nil, err
	}
	paths, err := json.Marshal(withheld(s.r, s.block.Values))
	if err != nil {
		return nil, fault.Wrap(err, fault.GiveUp, fault.Internal, "the values of %s can't be written as JSON", s.r.Step)
	}
	files := digest(c)
	if c.Metadata.Annotations == nil {
		c.Metadata.Annotations = map[string]string{}
	}
	for name, value := range map[string]string{annotationEnvironment: s.r.Environment, annotationStep: s.r.Step, annotationFiles: files, annotationWithheld: string(paths)} {
		c.Metadata.Annotations[name] = value
	}
	return c, nil
}

func (s *session) unmarked() (*chart.Chart, error) {
	if !s.block.source().local() {
		return s.fetched()
	}
	path, err := bundle.Clean(s.block.Chart)
	if err != nil {
		return nil, fault.New(fault.GiveUp, fault.Invalid, "chart = %q of %s %s", s.block.Chart, s.r.Step, err)
	}
	files := os.DirFS(s.r.Bundle)
	path, ok := bundle.Locate(files, path, isChart)
	if s.r.Bundle == "" || !ok {
		return nil, fault.New(fault.GiveUp, fault.Invalid, "the chart %q of %s did not travel with it", s.block.Chart, s.r.Step)
	}
	c, err := load(files, path)
	if err != nil {
		return nil, fault.Wrap(err, fault.GiveUp, fault.Invalid, "the chart %q of %s %s", s.block.Chart, s.r.Step, s.said(err))
	}
	return c, nil
}

// digest is of all files of a chart, those of the charts that it has in it among them.
func digest(c *chart.Chart) string {
	files := slices.Clone(c.Raw)
	slices.SortFunc(files, func(a, b *chart.File) int { return strings.Compare(a.Name, b.Name) })
	var text []byte
	for _, f := range files {
		text = fmt.Appendf(text, "%q %s\n", f.Name, hash(f.Data))
	}
	return hash(text)
}

// formerly are the secrets among the values of a release.
func formerly(rel *release.Release) (secrets []string) {
	var paths [][]string
	if rel == nil || rel.Chart == nil || rel.Chart.Metadata == nil || json.Unmarshal([]byte(rel.Chart.Metadata.Annotations[annotationWithheld]), &paths) != nil {
		return nil
	}
	for _, path := range paths {
		secrets = append(secrets, texts(at(rel.Config, path))...)
	}
	return secrets
}

// owner says whose a release is.
func owner(rel *release.Release) string {
	if rel.Chart != nil && rel.Chart.Metadata != nil {
		if step := rel.Chart.Metadata.Annotations[annotationStep]; step != "" {
			return "it belongs to " + step + " of the environment " + rel.Chart.Metadata.Annotations[annotationEnvironment]
		}
	}
	if rel.Labels[labelRelease] != "" {
		return "it belongs to another environment or step"
	}
	return "it was not made by Vivarium"
}

func marked(r executor.Request, rel *release.Release) bool {
	return rel.Labels[labelRelease] == idOf(r)
}
