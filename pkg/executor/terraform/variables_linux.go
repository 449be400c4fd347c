package terraform

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// variables puts the inputs into a file in memory, which the program has as descriptor 3 and finds by a link whose
// name says that it is JSON. So they are on no disk, even when this process is killed. The caller closes the file.
func variables(dir string, inputs json.RawMessage) (path string, file *os.File, err error) {
	fd, err := unix.MemfdCreate(variablesFile, unix.MFD_CLOEXEC)
	if err != nil {
		return "", nil, err
	}
	file = os.NewFile(uintptr(fd), variablesFile)
	path = filepath.Join(dir, variablesFile)
	_, err = file.Write(inputs)
	if err == nil {
		err = os.Remove(path)
		if errors.Is(err, os.ErrNotExist) {
			err = nil
		}
	}
	if err == nil {
		err = os.Symlink("/proc/self/fd/3", path)
	}
	if err != nil {
		_ = file.Close() // nothing of it is needed
		return "", nil, err
	}
	return path, file, nil
}
