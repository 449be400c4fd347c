package drawtest

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Program builds vivarium-draw in a folder of the test and tells its path.
func Program(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "vivarium-draw")
	out, err := exec.Command("go", "build", "-trimpath", "-o", path, "github.com/vivarium-env/vivarium/cmd/vivarium-draw").CombinedOutput() //nolint:gosec // a path of the test's own
	require.NoError(t, err, string(out))
	return path
}
