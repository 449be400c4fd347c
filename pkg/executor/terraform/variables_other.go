//go:build unix && !linux

package terraform

import (
	"encoding/json"
	"os"
	"path/filepath"
)

// variables puts the inputs into a file that only its owner reads. It is removed with the end of the run; where there
// is no /proc, a killed process leaves it behind until the next attempt.
func variables(dir string, inputs json.RawMessage) (path string, file *os.File, err error) {
	path = filepath.Join(dir, variablesFile)
	if err := os.RemoveAll(path); err != nil {
		return "", nil, err
	}
	if err := os.WriteFile(path, inputs, 0o600); err != nil {
		return "", nil, err
	}
	file, err = os.Open(path)
	return path, file, err
}
