package process

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor/container"
	"github.com/vivarium-env/vivarium/pkg/executor/container/internal/replicas"
)

// noContext is for what is done at once, or not at all.
var noContext = context.Background()

// A replica is compared as a flat map, from the paths that people read in a plan to texts.

const filePrefix = "files."

// wanted is what the block asks for; of files there are keyed hashes, "" while there is no key.
func (w *work) wanted() map[string]string {
	b := w.block
	flat := map[string]string{
		"image": b.Image, "command": replicas.Words(b.Command), "entrypoint": replicas.Words(b.Entrypoint), "user": b.User, "workdir": b.Workdir,
		"restart": b.Restart, "stop_timeout": time.Duration(b.StopTimeout).String(),
	}
	for name, value := range b.Env {
		flat["env."+name] = value
	}
	for name, value := range b.Labels {
		flat["labels."+name] = value
	}
	for _, p := range b.Ports {
		flat["port."+p.Key()] = strconv.Itoa(p.Container)
	}
	for _, v := range b.Volumes {
		flat["volume."+v.Path] = v.Name + v.HostPath
	}
	maps.DeleteFunc(flat, func(_, text string) bool { return text == "" })
	for file, content := range b.Files {
		flat[filePrefix+file] = w.hashOf(filePrefix+file, content)
	}
	return flat
}

// hidden are the paths of what has a secret in it.
func (w *work) hidden() (paths []string) {
	for path, text := range w.wanted() {
		file, is := strings.CutPrefix(path, filePrefix)
		if is {
			text = w.block.Files[file]
		}
		if w.r.Mask(text) != text {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	return paths
}

// kept is what of the wanted may stand in a record: secrets are there as keyed hashes.
func (w *work) kept(hidden []string) map[string]string {
	flat := w.wanted()
	for _, path := range hidden {
		if !strings.HasPrefix(path, filePrefix) {
			flat[path] = w.hashOf(path, flat[path])
		}
	}
	return flat
}

// hashDigits tell one content from another.
const hashDigits = 16

func (w *work) hashOf(path, text string) string {
	sum, err := container.Fingerprint(w.box(), w.r, "value", path, text)
	if err != nil {
		return ""
	}
	return sum[:hashDigits]
}

// compare says in what a replica is other than the block wants; none is as wanted, running or not. imageID is that of the program that it
// should be of, "" to leave that aside.
func (w *work) compare(_ context.Context, f found, imageID string) ([]event.Difference, error) {
	want := w.wanted()
	differences := w.differ(want, f.Flat, f.Hidden)
	if imageID != "" && imageID != f.ImageID && want["image"] == f.Flat["image"] {
		differences = append(differences, event.Difference{Path: "image", Change: event.ChangeUpdate, Before: replicas.Short(f.ImageID), After: replicas.Short(imageID)})
	}
	if len(differences) > 0 {
		return differences, nil
	}
	sum, err := w.fingerprint(f.ImageID)
	if err != nil || sum == f.Labels[container.LabelHash] {
		return nil, err
	}
	return []event.Difference{{Path: "configuration", Change: event.ChangeUpdate}}, nil
}

// differ compares two flat maps; what of have is in hidden is a keyed hash.
func (w *work) differ(want, have map[string]string, hidden []string) (differences []event.Difference) {
	paths := map[string]bool{}
	for _, m := range []map[string]string{want, have} {
		for path := range m {
			paths[path] = true
		}
	}
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		before, there := have[path]
		after, asked := want[path]
		secretly := slices.Contains(hidden, path)
		is := after
		if secretly && !strings.HasPrefix(path, filePrefix) {
			is = w.hashOf(path, after)
		}
		d := event.Difference{Path: w.r.Mask(path), Change: event.ChangeUpdate}
		switch {
		case there && asked && before == is:
			continue
		case !there:
			d.Change = event.ChangeCreate
		case !asked:
			d.Change = event.ChangeDestroy
		}
		w.show(&d, path, before, after, secretly)
		differences = append(differences, d)
	}
	return differences
}

// show fills in two values for people; of files there is only which has another content.
func (w *work) show(d *event.Difference, path, before, after string, secretly bool) {
	if file, is := strings.CutPrefix(path, filePrefix); is {
		content := w.block.Files[file]
		d.Sensitive = secretly || w.r.Mask(content) != content
		return
	}
	d.Before, d.After, d.Sensitive = replicas.Shown(w.r, before, after, secretly)
}

func pairs(m map[string]string) []string {
	list := make([]string, 0, len(m))
	for _, name := range slices.Sorted(maps.Keys(m)) {
		list = append(list, name+"="+m[name])
	}
	return list
}
