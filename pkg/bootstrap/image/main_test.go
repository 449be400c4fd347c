package image

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/test/servers"
)

func TestMain(m *testing.M) { servers.Main(m) }

const samplePackage = "github.com/vivarium-env/vivarium/pkg/bootstrap/image/testdata/sample"

// sample is the program, built as make build would unless it is said otherwise.
func sample(t *testing.T, with ...string) Program {
	t.Helper()
	p := Program{File: filepath.Join(t.TempDir(), "sample"), Package: samplePackage}
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", p.File, samplePackage)
	cmd.Env = append(append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS="), with...)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return p
}

// made is an image of the sample.
func made(t *testing.T, version string) *Image {
	t.Helper()
	i, err := Of(Source{Programs: []Program{sample(t)}, Version: version})
	require.NoError(t, err)
	return i
}
