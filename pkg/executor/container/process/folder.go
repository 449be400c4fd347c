package process

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/executor/container"
	"github.com/vivarium-env/vivarium/pkg/executor/container/process/supervisor"
)

func rootOf(folder string) string { return filepath.Join(folder, rootFolder) }
func tempOf(folder string) string { return filepath.Join(folder, tempFolder) }

// furnish makes what a replica finds: its folders, its volumes by links, its files. What is there can be read by nobody but who
// the program runs as.
func (w *work) furnish(folder string, user *supervisor.User) error {
	for _, at := range []string{rootOf(folder), tempOf(folder)} {
		if err := errors.Join(os.Mkdir(at, 0o700), owned(at, user)); err != nil {
			return err
		}
	}
	root, err := os.OpenRoot(rootOf(folder))
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	for _, v := range w.block.Volumes {
		if err := w.link(root, v, user); err != nil {
			return err
		}
	}
	for _, file := range slices.Sorted(maps.Keys(w.block.Files)) {
		if err := w.putFile(root, path.Clean(file), w.moved(rootOf(folder)).text(w.block.Files[file]), user); err != nil {
			return err
		}
	}
	if w.block.Workdir == "" {
		return nil
	}
	return folders(root, inside(w.block.Workdir), user)
}

// inside is an absolute path as one within a root.
func inside(at string) string {
	if at = strings.Trim(path.Clean(at), "/"); at == "" {
		return "."
	}
	return at
}

// link puts a volume in its place.
func (w *work) link(root *os.Root, v container.Volume, user *supervisor.User) error {
	target := v.HostPath
	if v.Name != "" {
		target = w.volumeData(v.Name)
		if err := owned(target, user); err != nil {
			return err
		}
	}
	at := inside(v.Path)
	if err := folders(root, path.Dir(at), user); err != nil {
		return err
	}
	return root.Symlink(target, at)
}

// putFile writes a file. One below a volume is written there, and never outside of it, wherever what lies there may point.
func (w *work) putFile(root *os.Root, file, content string, user *supervisor.User) error {
	for _, v := range w.block.Volumes {
		rest, below := strings.CutPrefix(file, v.Path+"/")
		if !below {
			continue
		}
		target := v.HostPath
		if v.Name != "" {
			target = w.volumeData(v.Name)
		}
		within, err := os.OpenRoot(target)
		if err != nil {
			return err
		}
		defer func() { _ = within.Close() }()
		return putIn(within, rest, content, user)
	}
	return putIn(root, inside(file), content, user)
}

func putIn(root *os.Root, at, content string, user *supervisor.User) error {
	if err := folders(root, path.Dir(at), user); err != nil {
		return err
	}
	if err := root.Remove(at); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := root.WriteFile(at, []byte(content), 0o600); err != nil || user == nil {
		return err
	}
	return root.Lchown(at, int(user.UID), int(user.GID))
}

// folders makes those that are missing.
func folders(root *os.Root, at string, user *supervisor.User) error {
	if at == "." || at == "" {
		return nil
	}
	if info, err := root.Stat(at); err == nil && info.IsDir() {
		return nil
	}
	if err := folders(root, path.Dir(at), user); err != nil {
		return err
	}
	if err := root.Mkdir(at, 0o700); err != nil || user == nil {
		return err
	}
	return root.Lchown(at, int(user.UID), int(user.GID))
}

// owned gives a folder to who the program runs as.
func owned(folder string, user *supervisor.User) error {
	if user == nil {
		return nil
	}
	return os.Lchown(folder, int(user.UID), int(user.GID))
}

// clear removes a replica's folder, the record last, so that what is cut off goes on to be the step's.
func clearFolder(folder string) error {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		if e.Name() != recordFile {
			err = errors.Join(err, os.RemoveAll(filepath.Join(folder, e.Name())))
		}
	}
	if err != nil {
		return err
	}
	return os.RemoveAll(folder)
}
