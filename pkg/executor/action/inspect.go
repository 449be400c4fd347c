package action

import (
	"fmt"
	"path"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/vivarium-env/vivarium/pkg/executor/internal/bundle"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// inspect finds the files that travel with the action: its folder of files and an app of the template's own.
func inspect(r template.InspectRequest) (template.Inspection, hcl.Diagnostics) {
	var diags hcl.Diagnostics
	var folders []string
	var targets []bundle.Target
	want := func(attribute, given string, has bundle.Has, what string, folder func(string) string) {
		clean, err := find(r, given, has, what)
		if err != nil {
			diags = append(diags, wrong(r, attribute, err))
			return
		}
		folders = append(folders, folder(clean))
		targets = append(targets, bundle.Target{Path: clean, Has: has})
	}
	if files := text(r.Static["files"]); files != "" {
		want("files", files, bundle.IsDir, "a folder", func(p string) string { return p })
	}
	a := appOf(r.Static["app"])
	if a != nil {
		if err := a.check(); err != nil {
			diags = append(diags, wrong(r, "app", err))
		} else if a.relative() {
			want("app", a.URL, bundle.IsFile, "a file", path.Dir)
		}
	}
	if diags.HasErrors() || len(targets) == 0 {
		return template.Inspection{}, diags
	}
	return template.Inspection{Bundle: bundle.Root(r.Root, bundle.Common(folders...), targets...)}, diags
}

func find(r template.InspectRequest, given string, has bundle.Has, what string) (string, error) {
	clean, err := bundle.Clean(given)
	if err != nil {
		return "", fmt.Errorf("%q %w", given, err)
	}
	if !has(r.Root, clean) {
		return "", fmt.Errorf("%q is not %s in the template's folder", given, what)
	}
	if err := bundle.Inside(r.Dir, clean); err != nil {
		return "", fmt.Errorf("%q %w", given, err)
	}
	return clean, nil
}

// appOf reads the decoded app block. Parts that are not known yet are checked when the action runs; an app of the
// template's own has to be known, or its file could not travel.
func appOf(v cty.Value) *app {
	if v == cty.NilVal || v.IsNull() || !v.IsKnown() || !v.Type().IsObjectType() {
		return nil
	}
	part := func(name string) string {
		if !v.Type().HasAttribute(name) {
			return ""
		}
		return text(v.GetAttr(name))
	}
	return &app{Name: part("name"), URL: part("url"), SHA256: part("sha256")}
}

func text(v cty.Value) string {
	if v == cty.NilVal {
		return ""
	}
	v, _ = v.Unmark()
	if v.IsNull() || !v.IsKnown() || v.Type() != cty.String {
		return ""
	}
	return v.AsString()
}

func wrong(r template.InspectRequest, attribute string, err error) *hcl.Diagnostic {
	d := &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  fmt.Sprintf("Invalid %s", attribute),
		Detail:   fmt.Sprintf("The %s of an action: %s.", attribute, err),
	}
	if at, ok := r.Ranges[attribute]; ok {
		d.Subject = &at
	}
	return d
}
