package bundle

import (
	"os"
	"path/filepath"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Unpack makes the folder dir, whose parents need not exist, with the files of a bundle. A folder that is there is
// complete, for it was made by a rename, and is left as it is; several may unpack to one dir at once. An error is a
// *fault.Error: Reject when the bundle is wrong, Retry when the disk did not play along.
func Unpack(b *event.Bundle, dir string) error {
	if err := checkHash(b); err != nil {
		return err
	}
	if complete(dir) {
		return nil
	}
	files, err := read(b)
	if err != nil {
		return err
	}
	if err := place(files, dir); err != nil && !complete(dir) {
		return fault.Wrap(err, fault.Retry, fault.Internal,
			"the files of a bundle can't be written; look at the room and the permissions of the runner's working folder")
	}
	return nil
}

func complete(dir string) bool {
	info, err := os.Stat(dir)
	return err == nil && info.IsDir()
}

func place(files []file, dir string) error {
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(parent, ".unpack-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp) // finds nothing after the rename
	if err := os.Chmod(tmp, 0o755); err != nil {
		return err
	}
	for _, f := range files {
		if err := write(f, filepath.Join(tmp, filepath.FromSlash(f.name))); err != nil {
			return err
		}
	}
	return os.Rename(tmp, dir)
}

// write syncs, because after a crash the folder's presence alone says that its files are whole.
func write(f file, name string) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	out, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, f.mode())
	if err != nil {
		return err
	}
	defer out.Close()
	if _, err := out.Write(f.data); err != nil {
		return err
	}
	if err := out.Sync(); err != nil {
		return err
	}
	return out.Close()
}
