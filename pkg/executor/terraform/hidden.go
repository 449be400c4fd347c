package terraform

import (
	"errors"
	"io"
	"os"
)

// Names under which the program finds what it is handed.
const (
	variablesFile = "inputs.tfvars.json"
	planFile      = "plan.tfplan"
)

// firstDescriptor is that of the first file that a program is given beyond its three.
const firstDescriptor = 3

// hidden are contents that the program reads and writes, and that must be on no disk.
type hidden struct {
	dir   string
	paths []string
	files []*os.File // in the order of their descriptors
}

// add makes a content a file of the program, and returns the path under which it finds it.
func (h *hidden) add(name string, content []byte) (string, error) {
	path, file, err := inMemory(h.dir, name, firstDescriptor+len(h.files), content)
	if err != nil {
		return "", err
	}
	h.paths, h.files = append(h.paths, path), append(h.files, file)
	return path, nil
}

// read is what a file has in it now; n counts from 0 in the order in which they were added.
func (h *hidden) read(n int) ([]byte, error) {
	if _, err := h.files[n].Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	return io.ReadAll(h.files[n])
}

func (h *hidden) close() error {
	var errs []error
	for i, path := range h.paths {
		errs = append(errs, os.Remove(path), h.files[i].Close())
	}
	return errors.Join(errs...)
}
