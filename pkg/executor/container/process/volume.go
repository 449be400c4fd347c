package process

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/vivarium-env/vivarium/pkg/executor/container"
	"github.com/vivarium-env/vivarium/pkg/executor/container/internal/replicas"
	"github.com/vivarium-env/vivarium/pkg/executor/container/process/supervisor"
)

// A volume is a folder below that of all volumes, with its data in it and a file that says whose it is.

var volumeName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$`)

const (
	dataFolder = "data"
	ownerFile  = "owner.json"
	// labelKeep is on volumes that stay when their step is destroyed.
	labelKeep = container.LabelPrefix + "keep"
)

func (w *work) volumeFolder(name string) string {
	return filepath.Join(w.options.Folder, volumesFolder, name)
}

func (w *work) volumeData(name string) string { return filepath.Join(w.volumeFolder(name), dataFolder) }

// lockVolumes keeps others, of whichever runner of the machine, from taking one away that has just been found.
func (w *work) lockVolumes(ctx context.Context) (unlock func(), err error) {
	folder := filepath.Join(w.options.Folder, volumesFolder)
	if err := os.MkdirAll(folder, 0o711); err != nil {
		return nil, err
	}
	return supervisor.Lock(ctx, filepath.Join(folder, ".lock"))
}

// ensureVolumes makes those that are missing. One that is there is used, whoever made it.
func (w *work) ensureVolumes(ctx context.Context) error {
	unlock, err := w.lockVolumes(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	for _, v := range w.block.Volumes {
		if v.Name == "" {
			continue
		}
		if _, err := os.Stat(w.volumeData(v.Name)); err == nil {
			continue
		}
		labels := container.Owner(w.r)
		if v.Keep {
			labels[labelKeep] = "true"
		}
		folder := w.volumeFolder(v.Name)
		if err := os.MkdirAll(folder, 0o711); err != nil {
			return err
		}
		if err := write(filepath.Join(folder, ownerFile), labels); err != nil {
			return err
		}
		if err := os.Mkdir(w.volumeData(v.Name), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

// owner are the labels of a volume, nil where nobody has said whose it is.
func (w *work) owner(name string) (labels map[string]string) {
	text, err := os.ReadFile(filepath.Join(w.volumeFolder(name), ownerFile))
	if err != nil || json.Unmarshal(text, &labels) != nil {
		return nil
	}
	return labels
}

// ownVolumes are those that the step made, and, named by its block, those that another step of its environment made, less those
// that are kept and those that somebody uses.
func (w *work) ownVolumes() (names []string, err error) {
	entries, err := os.ReadDir(filepath.Join(w.options.Folder, volumesFolder))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	used, err := w.usedVolumes()
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		labels := w.owner(e.Name())
		asked := slices.IndexFunc(w.block.Volumes, func(v container.Volume) bool { return v.Name == e.Name() })
		keep := labels[labelKeep] != ""
		if asked >= 0 {
			keep = w.block.Volumes[asked].Keep
		}
		ours := labels[container.LabelEnvironment] == w.r.Environment && (labels[container.LabelStep] == w.r.Step || asked >= 0)
		if ours && !keep && !slices.Contains(used, e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// usedVolumes are those of all replicas of the machine.
func (w *work) usedVolumes() (names []string, err error) {
	all, err := w.everything("")
	for _, f := range all {
		names = append(names, f.Volumes...)
	}
	return names, err
}

func (w *work) removeVolumes(ctx context.Context) error {
	unlock, err := w.lockVolumes(ctx)
	if err != nil {
		return w.fault(ctx, err)
	}
	defer unlock()
	names, err := w.ownVolumes()
	if err != nil {
		return w.fault(noContext, err)
	}
	for _, name := range names {
		if err := os.RemoveAll(w.volumeData(name)); err != nil { // whose it is goes last
			return w.fault(noContext, err)
		}
		if err := os.RemoveAll(w.volumeFolder(name)); err != nil {
			return w.fault(noContext, err)
		}
		replicas.Say(w.r, "volume %s is removed", name)
	}
	return nil
}
