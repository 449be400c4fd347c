package helm

import (
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/zclconf/go-cty/cty"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/registry"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// Name is the kind's name.
const Name = "helm_release"

// DefaultTimeout is how long what a release has made may take to get ready.
const DefaultTimeout = 10 * time.Minute

// Kind is a block with a chart, its values, and how it is installed.
func (*Executor) Kind() template.Kind {
	return template.Kind{
		Name: Name, Idempotent: true,
		// A registry or an API server that is away for a moment; databases take their time to come up.
		Retry: &environment.RetryPolicy{Attempts: 3, Backoff: 2 * time.Second, MaxBackoff: time.Minute}, Timeout: time.Hour,
		Spec: hcldec.ObjectSpec{
			"chart":        required("chart", cty.String),
			"repository":   optional("repository", cty.String),
			"version":      optional("version", cty.String),
			"username":     optional("username", cty.String),
			"password":     template.SensitiveSpec(optional("password", cty.String)),
			"name":         &hcldec.ValidateSpec{Wrapped: optional("name", cty.String), Func: checkName},
			"namespace":    optional("namespace", cty.String),
			"values":       &hcldec.ValidateSpec{Wrapped: optional("values", cty.DynamicPseudoType), Func: checkValues},
			"wait":         optional("wait", cty.Bool),
			"atomic":       optional("atomic", cty.Bool),
			"skip_crds":    optional("skip_crds", cty.Bool),
			"wait_timeout": &hcldec.ValidateSpec{Wrapped: optional("wait_timeout", cty.String), Func: checkDuration},
		},
		Outputs: map[string]template.Output{
			"name":          {Type: cty.String, Description: "The release's name."},
			"namespace":     {Type: cty.String, Description: "The namespace that it is in."},
			"revision":      {Type: cty.Number, Description: "The release's revision, which grows with each upgrade."},
			"chart_version": {Type: cty.String, Description: "The chart's version."},
			"app_version":   {Type: cty.String, Description: "The version of what the chart installs, as the chart says, or nothing."},
			"manifest":      {Type: cty.String, Description: "A digest of the rendered objects, less what nobody may see."},
		},
		Static:    []string{"chart", "repository", "version"},
		Unordered: "Helm changes what a release has made in place, as the chart's own objects say.",
		Inspect:   inspect,
	}
}

func optional(name string, t cty.Type) *hcldec.AttrSpec { return &hcldec.AttrSpec{Name: name, Type: t} }

func required(name string, t cty.Type) *hcldec.AttrSpec {
	return &hcldec.AttrSpec{Name: name, Type: t, Required: true}
}

func checkName(v cty.Value) hcl.Diagnostics {
	if name, ok := known(v); ok && chartutil.ValidateReleaseName(name) != nil {
		return mistake("Invalid name", fmt.Sprintf("%q can't be the name of a release: small letters, digits and hyphens, 53 at most.", name))
	}
	return nil
}

func checkDuration(v cty.Value) hcl.Diagnostics {
	text, ok := known(v)
	if !ok {
		return nil
	}
	if d, err := time.ParseDuration(text); err != nil || d <= 0 {
		return mistake("Invalid duration", fmt.Sprintf("%q is no duration such as \"90s\" or \"10m\".", text))
	}
	return nil
}

// checkValues finds values that are no object; what is in them is the chart's to judge.
func checkValues(v cty.Value) hcl.Diagnostics {
	v, _ = v.Unmark()
	if v.IsNull() || !v.IsKnown() || v.Type().IsObjectType() || v.Type().IsMapType() {
		return nil
	}
	return mistake("Wrong type", "\"values\" has to be an object: the chart's values by name.")
}

// known is a text that is there and known.
func known(v cty.Value) (string, bool) {
	if v == cty.NilVal {
		return "", false
	}
	v, _ = v.Unmark()
	if v.IsNull() || !v.IsKnown() || v.Type() != cty.String {
		return "", false
	}
	return v.AsString(), true
}

func mistake(summary, detail string) hcl.Diagnostics {
	return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: summary, Detail: detail}}
}

// source is where a chart comes from.
type source struct {
	chart, repository, version string
}

// local: it is a folder of the template.
func (s source) local() bool { return s.repository == "" && !registry.IsOCI(s.chart) }

// wrong says why there can't be such a chart; "" when there can.
func (s source) wrong() (attribute, why string) {
	switch {
	case s.chart == "":
		return "chart", "is empty: it is a folder of the template such as \"./charts/web\", the name of a chart in a repository, or an address such as \"oci://registry.example.test/charts/web\""
	case s.local() && s.version != "":
		return "version", "is for charts of a repository or a registry; a folder's is in its Chart.yaml"
	case s.local():
		return "", ""
	case s.version == "":
		return "version", "has to be there for a chart of a repository or a registry, or nobody would know what is installed"
	case registry.IsOCI(s.chart) && s.repository != "":
		return "repository", "has no meaning for a chart with an address of its own"
	case s.repository != "" && !strings.HasPrefix(s.repository, "https://") && !strings.HasPrefix(s.repository, "http://"):
		return "repository", "has to be the address of a repository of charts, as in \"https://charts.example.test\"; a registry's charts are named by their address, as in chart = \"oci://registry.example.test/charts/web\""
	}
	return "", ""
}
