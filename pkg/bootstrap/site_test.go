package bootstrap_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/bootstrap"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

func TestAWorkFolderBelongsToOneSite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "work")
	site := bootstrap.Site{Location: "process", Prefix: "a-", Profile: "small"}
	f, err := bootstrap.OpenFolder(dir, site)
	require.NoError(t, err)
	require.NoFileExists(t, f.Path("bootstrap.json"), "nothing is written before there is something to note")
	require.NoError(t, f.Note(func(p *bootstrap.Progress) { p.KeyID = "k" }))

	f, err = bootstrap.OpenFolder(dir, site)
	require.NoError(t, err)
	require.Equal(t, "k", f.Progress().KeyID)

	site.Prefix = "b-"
	_, err = bootstrap.OpenFolder(dir, site)
	require.True(t, fault.Is(err, fault.Exists), "%v", err)
	require.ErrorContains(t, err, `"prefix":"a-"`)

	f, err = bootstrap.OpenFolder(dir, bootstrap.Site{})
	require.NoError(t, err)
	require.Equal(t, "a-", f.Progress().Site.Prefix)

	foreign := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(foreign, "precious"), nil, 0o600))
	_, err = bootstrap.OpenFolder(foreign, site)
	require.True(t, fault.Is(err, fault.Exists), "%v", err)
	require.NoError(t, os.Rename(filepath.Join(foreign, "precious"), filepath.Join(foreign, "lock")))
	_, err = bootstrap.OpenFolder(foreign, site)
	require.NoError(t, err, "a run that was killed before it noted anything has left a lock alone")
}
