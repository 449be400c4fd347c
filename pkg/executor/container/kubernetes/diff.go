package kubernetes

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/secret"
)

// shownBytes bounds a value in a difference.
const shownBytes = 256

// flat is an object's fields by their paths; the elements of lists go by their names, where they have one.
type flat map[string]string

// flatten reads what somebody may have asked for: not the status, and of the metadata only labels and annotations.
func flatten(o live) flat {
	f := flat{}
	for name, value := range o.Object {
		switch name {
		case "apiVersion", "kind", "metadata", "status":
		default:
			f.add(name, value)
		}
	}
	for name, value := range o.GetLabels() {
		f["metadata.labels["+name+"]"] = value
	}
	for name, value := range o.GetAnnotations() {
		if name != annotationHealthy && !strings.Contains(name, "kubernetes.io/") { // which are the cluster's own
			f["metadata.annotations["+name+"]"] = value
		}
	}
	return f
}

func (f flat) add(path string, value any) {
	switch v := value.(type) {
	case nil:
	case map[string]any:
		for name, e := range v {
			if strings.ContainsAny(name, "./") {
				f.add(path+"["+name+"]", e)
			} else {
				f.add(path+"."+name, e)
			}
		}
	case []any:
		for i, e := range v {
			f.add(path+"["+element(e, i)+"]", e)
		}
	case string:
		f[path] = v
	default:
		text, err := json.Marshal(v)
		if err != nil {
			text = []byte(fmt.Sprint(v))
		}
		f[path] = string(text)
	}
}

// element names one of a list.
func element(e any, i int) string {
	m, _ := e.(map[string]any)
	for _, key := range []string{"name", "mountPath", "host", "path"} {
		if name, ok := m[key].(string); ok {
			if sub, ok := m["subPath"].(string); ok {
				return name + "/" + sub
			}
			return name
		}
	}
	return fmt.Sprint(i)
}

// compare tells what is other in after than in before; either may be nil.
func (s *session) compare(k kind, name string, before, after live) (differences []event.Difference) {
	title := k.name + " " + name
	switch {
	case before == nil && after == nil:
		return nil
	case before == nil:
		return []event.Difference{{Path: s.r.Mask(title), Change: event.ChangeCreate, After: s.summary(k, after), Sensitive: k == secrets}}
	case after == nil:
		return []event.Difference{{Path: s.r.Mask(title), Change: event.ChangeDestroy, Before: s.summary(k, before), Sensitive: k == secrets}}
	}
	old, now := flatten(before), flatten(after)
	paths := map[string]bool{}
	for path := range old {
		paths[path] = true
	}
	for path := range now {
		paths[path] = true
	}
	for _, path := range sorted(paths) {
		was, had := old[path]
		is, has := now[path]
		if was == is && had == has {
			continue
		}
		d := event.Difference{Path: s.r.Mask(title + ": " + words(path)), Change: event.ChangeUpdate}
		switch {
		case !had:
			d.Change = event.ChangeCreate
		case !has:
			d.Change = event.ChangeDestroy
		}
		s.show(&d, k == secrets && strings.HasPrefix(path, "data") || strings.HasSuffix(path, "secretKeyRef.name"), was, is)
		differences = append(differences, d)
	}
	return differences
}

// show puts the values in, unless nobody may see them.
func (s *session) show(d *event.Difference, hidden bool, was, is string) {
	if hidden || s.holds(was) || s.holds(is) {
		d.Sensitive = true
		if d.Change != event.ChangeCreate {
			d.Before = secret.Shown
		}
		if d.Change != event.ChangeDestroy {
			d.After = secret.Shown
		}
		return
	}
	d.Before, d.After = cut(was), cut(is)
}

func cut(text string) string {
	if len(text) <= shownBytes {
		return text
	}
	return strings.ToValidUTF8(text[:shownBytes], "") + "…"
}

// summary is an object in a word, where one says something.
func (s *session) summary(k kind, o live) string {
	if k != deployments {
		return ""
	}
	return s.r.Mask(s.block.Image)
}

// plain are the words of the block for the paths of a Deployment that people change most.
var plain = []struct{ begins, word string }{
	{"spec.replicas", "replicas"},
	{"spec.progressDeadlineSeconds", "update.health_timeout (progressDeadlineSeconds)"},
	{"spec.strategy", "update.order (strategy)"},
}

// words makes the words of the block of a path, where there are some.
func words(path string) string {
	for _, p := range plain {
		if rest, ok := strings.CutPrefix(path, p.begins); ok {
			return p.word + rest
		}
	}
	rest, ok := strings.CutPrefix(path, "spec.template.spec.containers[")
	if !ok {
		return path
	}
	_, field, ok := strings.Cut(rest, "].")
	if !ok {
		return path
	}
	field = strings.Replace(field, "resources.limits.", "limits.", 1)
	if name, ok := strings.CutPrefix(field, "env["); ok {
		name, _, _ = strings.Cut(name, "]")
		return "env." + name
	}
	for api, block := range map[string]string{"args": "command", "command": "entrypoint", "imagePullPolicy": "pull", "workingDir": "workdir"} {
		if tail, ok := strings.CutPrefix(field, api); ok {
			return block + tail
		}
	}
	return field
}
