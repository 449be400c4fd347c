package servers

import (
	"context"
	"fmt"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strings"
)

// ReadSources reads the folders that the program is built from. `go test` keeps a result for as long as what the test has opened stays as it was; what
// a test builds by a command it does not know of, and would show the result of a program of yesterday.
func ReadSources(ctx context.Context) error {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return fmt.Errorf("where the module is can't be told: %w", err)
	}
	root := strings.TrimSpace(string(out))
	for _, dir := range []string{"cmd", "pkg", "schemas", "bootstrap", "templates"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(_ string, _ fs.DirEntry, err error) error { return err })
		if err != nil {
			return err
		}
	}
	return nil
}
