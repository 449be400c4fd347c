package terraform

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// inMemory puts a content into a file in memory, which the program has as the given descriptor and finds by a link in dir,
// whose name says what it is. So it is on no disk, even when this process is killed. The caller closes the file.
func inMemory(dir, name string, descriptor int, content []byte) (path string, file *os.File, err error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return "", nil, err
	}
	file = os.NewFile(uintptr(fd), name)
	path = filepath.Join(dir, name)
	_, err = file.Write(content)
	if err == nil {
		err = os.Remove(path)
		if errors.Is(err, os.ErrNotExist) {
			err = nil
		}
	}
	if err == nil {
		err = os.Symlink(fmt.Sprintf("/proc/self/fd/%d", descriptor), path)
	}
	if err != nil {
		_ = file.Close() // nothing of it is needed
		return "", nil, err
	}
	return path, file, nil
}
