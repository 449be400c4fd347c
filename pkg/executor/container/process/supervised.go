package process

import (
	"os"
	"path/filepath"

	"github.com/vivarium-env/vivarium/pkg/executor/container/process/supervisor"
)

// Supervised tells whether any replica below a folder (Options.Folder) has a supervisor, which may just be about to start its program again. After
// a restart of the machine none has. The error is that of a folder that can't be read; one that is not there has none.
func Supervised(folder string) (bool, error) {
	entries, err := os.ReadDir(filepath.Join(folder, replicasFolder))
	if err != nil && !os.IsNotExist(err) {
		return false, err
	}
	for _, e := range entries {
		if _, alive, err := supervisor.Look(filepath.Join(folder, replicasFolder, e.Name())); alive || err != nil && !os.IsNotExist(err) {
			return alive, err
		}
	}
	return false, nil
}
