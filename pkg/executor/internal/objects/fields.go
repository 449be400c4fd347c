package objects

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/secret"
)

// shownBytes bounds a value in a difference.
const shownBytes = 256

// Fields are an object's fields by their paths; the elements of lists go by their names, where they have one.
type Fields map[string]string

// Of reads what somebody may have asked for: not the status, and of the metadata only labels and annotations. Annotations that
// are the cluster's own, or for which leave is true, are left out; leave may be nil.
func Of(object map[string]any, leave func(annotation string) bool) Fields {
	f := Fields{}
	for name, value := range object {
		switch name {
		case "apiVersion", "kind", "metadata", "status":
		default:
			f.add(name, value)
		}
	}
	metadata, _ := object["metadata"].(map[string]any)
	labels, _ := metadata["labels"].(map[string]any)
	for name, value := range labels {
		f["metadata.labels["+name+"]"] = fmt.Sprint(value)
	}
	annotations, _ := metadata["annotations"].(map[string]any)
	for name, value := range annotations {
		if !strings.Contains(name, "kubernetes.io/") && (leave == nil || !leave(name)) {
			f["metadata.annotations["+name+"]"] = fmt.Sprint(value)
		}
	}
	return f
}

func (f Fields) add(path string, value any) {
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

// Compare tells what is other in after than in before, by the paths of fields. Values for which hidden is true are not shown.
func Compare(before, after Fields, hidden func(path, was, is string) bool) (differences []event.Difference) {
	paths := slices.AppendSeq(slices.Collect(maps.Keys(before)), maps.Keys(after))
	slices.Sort(paths)
	for _, path := range slices.Compact(paths) {
		was, had := before[path]
		is, has := after[path]
		if was == is && had == has {
			continue
		}
		d := event.Difference{Path: path, Change: event.ChangeUpdate}
		switch {
		case !had:
			d.Change = event.ChangeCreate
		case !has:
			d.Change = event.ChangeDestroy
		}
		show(&d, hidden(path, was, is), was, is)
		differences = append(differences, d)
	}
	return differences
}

// show puts the values in, unless nobody may see them.
func show(d *event.Difference, hidden bool, was, is string) {
	if !hidden {
		d.Before, d.After = Cut(was), Cut(is)
		return
	}
	d.Sensitive = true
	if d.Change != event.ChangeCreate {
		d.Before = secret.Shown
	}
	if d.Change != event.ChangeDestroy {
		d.After = secret.Shown
	}
}

// Cut bounds a value that people will read.
func Cut(text string) string {
	if len(text) <= shownBytes {
		return text
	}
	return strings.ToValidUTF8(text[:shownBytes], "") + "…"
}
