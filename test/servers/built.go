package servers

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// BuiltForRaces is the path of `vivarium`, built with the race detector into the user's cache folder, from the module that
// the working folder is in. Packages that are tested at once wait for each other: the first links it, which is half a minute of a
// processor, and the others find it there. Without debugging information, which none of them looks at.
func BuiltForRaces(ctx context.Context) (string, error) {
	if err := ReadSources(ctx); err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	program := filepath.Join(cache, "vivarium", "test", "vivarium-race")
	if err := os.MkdirAll(filepath.Dir(program), 0o700); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, 15*time.Minute)
	defer cancel()
	unlock, err := lockFile(ctx, program+".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	cmd := exec.CommandContext(ctx, "go", "build", "-race", "-ldflags=-w", "-o", program, "github.com/vivarium-env/vivarium/cmd/vivarium")
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("building the program under test: %w", err)
	}
	return program, nil
}
