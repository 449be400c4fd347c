package docker

import (
	"context"
	"encoding/json"
	"maps"
	"slices"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor/container"
	"github.com/vivarium-env/vivarium/pkg/executor/container/internal/replicas"
)

// compare says in what a container is other than the block wants; none is as wanted, running or not. imageID is that of
// the image it should be of, "" to leave that aside.
func (w *work) compare(ctx context.Context, f found, imageID string) ([]event.Difference, error) {
	own, err := w.inspectImage(ctx, f.Image)
	if err != nil {
		return nil, err
	}
	base := w.image
	if imageID == "" || imageID == f.Image {
		base = own
	}
	want, have := w.wanted(base), actual(f.InspectResponse, own)
	if base == nil {
		forget(want, have)
	}
	unchecked(f, want)
	unchecked(f, have)
	hidden := f.hidden()
	differences := w.differ(want, have, hidden)
	differences = append(differences, w.differFiles(f, hidden)...)
	if imageID != "" && imageID != f.Image && want["image"] == have["image"] {
		differences = append(differences, event.Difference{Path: "image", Change: event.ChangeUpdate, Before: replicas.Short(f.Image), After: replicas.Short(imageID)})
	}
	if differences = f.oddities(differences); len(differences) > 0 {
		return differences, nil
	}
	return w.compareHash(f)
}

// compareHash finds what is not in the flat maps.
func (w *work) compareHash(f found) ([]event.Difference, error) {
	sum, err := w.fingerprint(f.Image)
	if err != nil || sum == f.Config.Labels[container.LabelHash] {
		return nil, err
	}
	return []event.Difference{{Path: "configuration", Change: event.ChangeUpdate}}, nil
}

// forget leaves aside what the image has a say in, where it is not known which image that will be.
func forget(want, have map[string]string) {
	for _, path := range []string{"command", "entrypoint", "user", "workdir", "health"} {
		if want[path] == "" {
			delete(have, path)
		}
	}
}

func (w *work) differ(want, have map[string]string, hidden []string) (differences []event.Difference) {
	paths := slices.Collect(maps.Keys(want))
	for path := range have {
		if _, both := want[path]; !both {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	for _, path := range paths {
		before, there := have[path]
		after, asked := want[path]
		d := event.Difference{Path: w.r.Mask(path), Change: event.ChangeUpdate}
		switch {
		case there && asked && before == after:
			continue
		case !there:
			d.Change = event.ChangeCreate
		case !asked:
			d.Change = event.ChangeDestroy
		}
		d.Before, d.After, d.Sensitive = replicas.Shown(w.r, before, after, slices.Contains(hidden, path))
		differences = append(differences, d)
	}
	return differences
}

// differFiles shows no contents, only which file has another one.
func (w *work) differFiles(f found, hidden []string) (differences []event.Difference) {
	have := map[string]string{}
	_ = json.Unmarshal([]byte(f.Config.Labels[labelFiles]), &have) // none is none
	for _, d := range w.differ(w.fileHashes(), have, nil) {
		path := filePath(d.Path)
		differences = append(differences, event.Difference{Path: path, Change: d.Change, Sensitive: slices.Contains(hidden, path)})
	}
	return differences
}
