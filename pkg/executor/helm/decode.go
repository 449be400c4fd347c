package helm

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"

	"helm.sh/helm/v3/pkg/chartutil"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// block is the resource's block as a request brings it.
type block struct {
	Chart      string         `json:"chart"`
	Repository string         `json:"repository"`
	Version    string         `json:"version"`
	Username   string         `json:"username"`
	Password   string         `json:"password"`
	Release    string         `json:"name"`
	Namespace  string         `json:"namespace"`
	Values     map[string]any `json:"values"`
	Wait       *bool          `json:"wait"`
	Atomic     bool           `json:"atomic"`
	SkipCRDs   bool           `json:"skip_crds"`
	WaitFor    string         `json:"wait_timeout"`

	timeout time.Duration
}

func (b block) source() source {
	return source{chart: b.Chart, repository: b.Repository, version: b.Version}
}

// waits: the work ends only when what it has made is ready.
func (b block) waits() bool { return b.Wait == nil || *b.Wait || b.Atomic }

func decode(r executor.Request) (b block, err error) {
	b.timeout = DefaultTimeout
	d := json.NewDecoder(bytes.NewReader(r.Inputs))
	d.UseNumber()
	if err := d.Decode(&b); err != nil {
		return b, fault.New(fault.GiveUp, fault.Invalid, "the inputs of %s are not those of a %s block", r.Step, Name)
	}
	if attribute, why := b.source().wrong(); why != "" {
		return b, fault.New(fault.GiveUp, fault.Invalid, "%s of %s %s", attribute, r.Step, why)
	}
	if b.Release != "" && chartutil.ValidateReleaseName(b.Release) != nil {
		return b, fault.New(fault.GiveUp, fault.Invalid, "name = %q of %s can't be the name of a release: small letters, digits and hyphens, 53 at most", r.Mask(b.Release), r.Step)
	}
	if b.WaitFor != "" {
		if b.timeout, err = time.ParseDuration(b.WaitFor); err != nil || b.timeout <= 0 {
			return b, fault.New(fault.GiveUp, fault.Invalid, "wait_timeout = %q of %s is no duration such as \"10m\"", r.Mask(b.WaitFor), r.Step)
		}
	}
	b.Values, _ = numbers(b.Values).(map[string]any)
	if b.Values == nil {
		b.Values = map[string]any{}
	}
	return b, nil
}

// numbers makes whole numbers of those that are, which charts print as such and not as 1e+06.
func numbers(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, e := range v {
			v[name] = numbers(e)
		}
	case []any:
		for i, e := range v {
			v[i] = numbers(e)
		}
	case json.Number:
		if i, err := v.Int64(); err == nil {
			return i
		}
		f, _ := v.Float64()
		return f
	}
	return v
}

// withheld are the paths of those of the values that have a secret in them, in the order of their paths, as JSON arrays of steps.
func withheld(r executor.Request, values map[string]any) (paths [][]string) {
	var look func(path []string, v any)
	look = func(path []string, v any) {
		if m, ok := v.(map[string]any); ok {
			for _, name := range sorted(m) {
				look(append(path[:len(path):len(path)], name), m[name])
			}
			return
		}
		if text, err := json.Marshal(v); err != nil || r.Holds(text) {
			paths = append(paths, path)
		}
	}
	look(nil, values)
	return paths
}

// at is what stands at a path of values.
func at(values map[string]any, path []string) any {
	var v any = values
	for _, name := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[name]
	}
	return v
}

// texts are all strings within a value, and its other leaves as JSON.
func texts(v any) (all []string) {
	switch v := v.(type) {
	case nil:
	case string:
		all = append(all, v)
	case map[string]any:
		for _, e := range v {
			all = append(all, texts(e)...)
		}
	case []any:
		for _, e := range v {
			all = append(all, texts(e)...)
		}
	default:
		text, _ := json.Marshal(v)
		all = append(all, strings.TrimSpace(string(text)))
	}
	return all
}
