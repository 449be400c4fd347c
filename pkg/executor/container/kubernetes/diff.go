package kubernetes

import (
	"strings"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor/internal/objects"
)

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
	hidden := func(path, was, is string) bool {
		return k == secrets && strings.HasPrefix(path, "data") || strings.HasSuffix(path, "secretKeyRef.name") || s.holds(was) || s.holds(is)
	}
	differences = objects.Compare(fieldsOf(before), fieldsOf(after), hidden)
	for i := range differences {
		differences[i].Path = s.r.Mask(title + ": " + words(differences[i].Path))
	}
	return differences
}

// fieldsOf leaves out what we note for ourselves.
func fieldsOf(o live) objects.Fields {
	return objects.Of(o.Object, func(annotation string) bool { return annotation == annotationHealthy })
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
