package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

func TestKubeconfigs(t *testing.T) {
	home := t.TempDir()
	require.Empty(t, kubeconfigs(nil))
	require.Empty(t, kubeconfigs(map[string]string{"HOME": home}), "there is none")
	file := filepath.Join(home, ".kube", "config")
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o700))
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	require.Equal(t, []string{file}, kubeconfigs(map[string]string{"HOME": home}))
	require.Equal(t, []string{"/a", "/b"}, kubeconfigs(map[string]string{"HOME": home, "KUBECONFIG": "/a::/b"}))
}

// TestCatalogueFiles: templates travel as texts, without what git keeps; what is no text, or too much, is refused by its name.
func TestCatalogueFiles(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"notes/template.hcl": "template", "notes/files/a.txt": "a", ".git/config": "not this"} {
		file := filepath.Join(dir, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o700))
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	}
	files, err := catalogueFiles(dir)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"notes/template.hcl": "template", "notes/files/a.txt": "a"}, files)
	for says, text := range map[string][]byte{"odd is no text": {0xff, 0xd8}, "more than 900000 bytes": make([]byte, mostCatalogue)} {
		file := filepath.Join(dir, "odd")
		require.NoError(t, os.WriteFile(file, text, 0o600))
		_, err = catalogueFiles(dir)
		require.True(t, fault.Is(err, fault.Invalid), "%v", err)
		require.ErrorContains(t, err, says)
		require.NoError(t, os.Remove(file))
	}
}

// TestTowards: an agent on this machine knows by what address it is known.
func TestTowards(t *testing.T) {
	for _, agent := range []string{"127.0.0.1:8500", "http://127.0.0.1:8500", "https://localhost:8501", "unix:///run/consul.sock", ""} {
		require.Empty(t, towards(agent), agent)
	}
}
