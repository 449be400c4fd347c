package template

import (
	"context"
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/bundle"
)

// TestTheLockFileOfProvidersIsPartOfATemplate although it is hidden: it decides with which providers a module is applied.
func TestTheLockFileOfProvidersIsPartOfATemplate(t *testing.T) {
	const lock = "modules/network/.terraform.lock.hcl"
	dir := t.TempDir()
	write(t, dir, "notes/template.hcl", simple("notes", "1.0.0"))
	write(t, dir, "notes/modules/network/main.tf", "")
	write(t, dir, "notes/"+lock, "1.0")
	c := open(t, dir)
	first, err := c.Get(context.Background(), "notes")
	require.NoError(t, err)
	packed, err := first.PackFolder("modules/network")
	require.NoError(t, err)
	files, err := bundle.FS(packed)
	require.NoError(t, err)
	text, err := fs.ReadFile(files, ".terraform.lock.hcl")
	require.NoError(t, err)
	require.Equal(t, "1.0", string(text))

	write(t, dir, "notes/"+lock, "1.10")
	second, err := c.Get(context.Background(), "notes")
	require.NoError(t, err)
	require.NotEqual(t, first.Hash, second.Hash, "the catalogue sees the change")
}
