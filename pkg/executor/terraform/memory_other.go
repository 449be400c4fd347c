//go:build unix && !linux

package terraform

import (
	"os"
	"path/filepath"
)

// inMemory puts a content into a file that only its owner reads. It is removed with the end of the run; where there is no
// /proc, a killed process leaves it behind until the next attempt.
func inMemory(dir, name string, _ int, content []byte) (path string, file *os.File, err error) {
	path = filepath.Join(dir, name)
	if err := os.RemoveAll(path); err != nil {
		return "", nil, err
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		return "", nil, err
	}
	file, err = os.OpenFile(path, os.O_RDWR, 0)
	return path, file, err
}
