package helm

import (
	"strings"

	"helm.sh/helm/v3/pkg/kube"
	"helm.sh/helm/v3/pkg/release"
	"helm.sh/helm/v3/pkg/releaseutil"
	"sigs.k8s.io/yaml"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/internal/objects"
)

// item is one object of a manifest.
type item struct {
	title  string // how people call it
	secret bool
	kept   bool // it outlives the release, as the chart says
	fields map[string]any
}

// items are objects by what they are and where.
type items map[string]item

// itemsOf reads a release's manifest, its hooks included. What is no YAML is left out: Helm would have refused it.
func itemsOf(rel *release.Release) items {
	all := items{}
	if rel == nil {
		return all
	}
	for _, text := range releaseutil.SplitManifests(rel.Manifest) {
		all.add(text, "")
	}
	for _, h := range rel.Hooks {
		all.add(h.Manifest, " (hook)")
	}
	return all
}

func (all items) add(text, suffix string) {
	var fields map[string]any
	if yaml.Unmarshal([]byte(text), &fields) != nil || fields == nil {
		return
	}
	metadata, _ := fields["metadata"].(map[string]any)
	annotations, _ := metadata["annotations"].(map[string]any)
	kind, version, name, namespace := word(fields["kind"]), word(fields["apiVersion"]), word(metadata["name"]), word(metadata["namespace"])
	group, _, _ := strings.Cut(version, "/")
	all[strings.Join([]string{group, kind, namespace, name, suffix}, "/")] = item{
		title: kind + " " + name + suffix, secret: kind == "Secret" && version == "v1", fields: fields,
		kept: annotations[kube.ResourcePolicyAnno] == kube.KeepPolicy,
	}
}

func word(v any) string {
	text, _ := v.(string)
	return text
}

// manifests compares what two releases were rendered to; either may be nil.
func (s *session) manifests(before, after *release.Release) (differences []event.Difference) {
	was, is := itemsOf(before), itemsOf(after)
	keys := map[string]bool{}
	for key := range was {
		keys[key] = true
	}
	for key := range is {
		keys[key] = true
	}
	for _, key := range sorted(keys) {
		old, had := was[key]
		now, has := is[key]
		switch {
		case !had:
			differences = append(differences, event.Difference{Path: s.veil.mask(now.title), Change: event.ChangeCreate})
		case has:
			differences = append(differences, s.compared(now.title, now.secret, objects.Of(old.fields, nil), objects.Of(now.fields, nil))...)
		case !old.kept:
			differences = append(differences, event.Difference{Path: s.veil.mask(old.title), Change: event.ChangeDestroy})
		}
	}
	return differences
}

// compared tells what is other in an object's fields. All that a Secret has is hidden.
func (s *session) compared(title string, secret bool, before, after objects.Fields) []event.Difference {
	differences := objects.Compare(before, after, func(path, was, is string) bool {
		return secret && (strings.HasPrefix(path, "data") || strings.HasPrefix(path, "stringData")) || s.veil.holds(was) || s.veil.holds(is)
	})
	for i := range differences {
		if title != "" {
			differences[i].Path = title + ": " + differences[i].Path
		}
		differences[i].Path = s.veil.mask(differences[i].Path)
	}
	return differences
}

// fingerprint is a digest of what a release was rendered to, without what nobody may see: it is put out, and whoever sees it could
// try passwords against it.
func (s *session) fingerprint(rel *release.Release) string {
	var text strings.Builder
	all := itemsOf(rel)
	for _, key := range sorted(all) {
		fields := objects.Of(all[key].fields, nil)
		for _, path := range sorted(fields) {
			if !all[key].secret {
				text.WriteString(s.veil.mask(key + " " + path + "=" + fields[path] + "\n"))
			}
		}
	}
	return hash([]byte(text.String()))[:32]
}

// requestOf is a request for values alone.
func requestOf(values []byte) executor.Request {
	return executor.Request{Inputs: []byte(`{"chart":"x","values":` + string(values) + `}`)}
}
