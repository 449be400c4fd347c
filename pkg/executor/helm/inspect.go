package helm

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"

	"github.com/vivarium-env/vivarium/pkg/executor/internal/bundle"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// isChart is bundle.Has for charts.
func isChart(fsys fs.FS, at string) bool {
	return bundle.IsFile(fsys, strings.TrimPrefix(at+"/"+chartutil.ChartfileName, "./"))
}

// inspect reads the chart where it is a folder of the template, so that it travels with the task; others are known when they are
// fetched.
func inspect(r template.InspectRequest) (template.Inspection, hcl.Diagnostics) {
	var s source
	for name, to := range map[string]*string{"chart": &s.chart, "repository": &s.repository, "version": &s.version} {
		*to, _ = known(r.Static[name])
	}
	if attribute, why := s.wrong(); why != "" {
		return template.Inspection{}, hcl.Diagnostics{wrong(r, attribute, why)}
	}
	if !s.local() {
		return template.Inspection{}, nil
	}
	at, err := folderOf(r, s.chart)
	if err == nil {
		_, err = load(r.Root, at)
	}
	if err != nil {
		return template.Inspection{}, hcl.Diagnostics{wrong(r, "chart", err.Error())}
	}
	return template.Inspection{Bundle: bundle.Root(r.Root, at, bundle.Target{Path: at, Has: isChart})}, nil
}

func folderOf(r template.InspectRequest, given string) (string, error) {
	at, err := bundle.Clean(given)
	if err != nil {
		return "", fmt.Errorf("%q %w", given, err)
	}
	if !isChart(r.Root, at) {
		return "", fmt.Errorf("%q is no folder with a Chart.yaml in the template's folder; a chart of elsewhere needs repository, or an address that begins with oci://", given)
	}
	if err := bundle.Inside(r.Dir, at); err != nil {
		return "", fmt.Errorf("%q %w", given, err)
	}
	return at, nil
}

// load reads a chart of a folder, with those below its charts.
func load(fsys fs.FS, at string) (*chart.Chart, error) {
	sub, err := fs.Sub(fsys, at)
	if err != nil {
		return nil, err
	}
	var files []*loader.BufferedFile
	err = fs.WalkDir(sub, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		text, err := fs.ReadFile(sub, name)
		files = append(files, &loader.BufferedFile{Name: name, Data: text})
		return err
	})
	if err != nil {
		return nil, errors.New("can't be read")
	}
	c, err := loader.LoadFiles(files)
	if err != nil {
		return nil, fmt.Errorf("is no chart that Helm can read: %w", err)
	}
	return c, usable(c)
}

// usable tells whether a chart can be installed as it is.
func usable(c *chart.Chart) error {
	if c.Metadata.Type != "" && c.Metadata.Type != "application" {
		return fmt.Errorf("is a chart of the type %s, which can't be installed", c.Metadata.Type)
	}
	if err := action.CheckDependencies(c, c.Metadata.Dependencies); err != nil {
		return fmt.Errorf("lacks charts that it depends on: put them below its folder charts (helm dependency build): %w", err)
	}
	return nil
}

func wrong(r template.InspectRequest, attribute, why string) *hcl.Diagnostic {
	d := &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Invalid " + attribute, Detail: fmt.Sprintf("The %s of a helm_release: %s.", attribute, why)}
	if at, ok := r.Ranges[attribute]; ok {
		d.Subject = &at
	}
	return d
}
