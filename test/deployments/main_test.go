package deployments

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/config"
	"github.com/vivarium-env/vivarium/test/servers"
)

func TestMain(m *testing.M) { servers.Main(m) }

// root of the repository.
const root = "../.."

func path(name string) string { return filepath.Join(root, "deployments", name) }

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(path(name))
	require.NoError(t, err)
	return string(text)
}

// requireSettings loads variables as the program would: all of ours are settings that there are, with values that they take.
func requireSettings(t *testing.T, variables map[string]string) config.Settings {
	t.Helper()
	known := map[string]bool{}
	for _, s := range config.Table() {
		known[s.Variable] = true
	}
	for name := range variables {
		require.True(t, known[name] || !strings.HasPrefix(name, config.EnvPrefix), "%s is no setting", name)
	}
	s, err := config.Load(config.Inputs{Variables: variables})
	require.NoError(t, err)
	return s
}

// TestTheReadmeNamesEverything that there is, and nothing that there is not.
func TestTheReadmeNamesEverything(t *testing.T) {
	text := read(t, "README.md")
	files, err := filepath.Glob(path("*"))
	require.NoError(t, err)
	more, err := filepath.Glob(path("*/*.yaml"))
	require.NoError(t, err)
	for _, file := range append(files, more...) {
		if name := filepath.Base(file); name != "README.md" {
			require.True(t, strings.Contains(text, name), "it does not name %s", name)
		}
	}
	for _, named := range regexp.MustCompile(`deployments/[\w./*-]+`).FindAllString(text, -1) {
		found, err := filepath.Glob(filepath.Join(root, named))
		require.NoError(t, err)
		require.NotEmpty(t, found, named)
	}
	whole, err := os.ReadFile(filepath.Join(root, "README.md"))
	require.NoError(t, err)
	require.True(t, strings.Contains(string(whole), "(deployments/README.md)"), "the README leads here")
}
