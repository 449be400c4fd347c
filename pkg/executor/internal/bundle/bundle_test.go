package bundle_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/executor/internal/bundle"
)

func TestClean(t *testing.T) {
	for given, want := range map[string]string{"./a/b": "a/b", "a/./b/": "a/b", ".": ".", "./": ".", "a/../b": "b"} {
		found, err := bundle.Clean(given)
		require.NoError(t, err)
		require.Equal(t, want, found)
	}
	for _, given := range []string{"", "/", "/a", "..", "../a", "a/../../b", `a\b`} {
		_, err := bundle.Clean(given)
		require.Error(t, err, given)
	}
}

func TestCommon(t *testing.T) {
	require.Equal(t, "a/b", bundle.Common("a/b"))
	require.Equal(t, "a", bundle.Common("a/b", "a/c/d"))
	require.Equal(t, "a/b", bundle.Common("a/b", "a/b/c"))
	require.Equal(t, ".", bundle.Common("a/b", "ab"))
	require.Equal(t, ".", bundle.Common("a", "."))
}

func TestWhatRootChoosesLocateFinds(t *testing.T) {
	template := fstest.MapFS{"a/a/x": {}, "a/a/a/a/x": {}, "a/x": {}, "b/x": {}}
	has := func(fsys fs.FS, at string) bool { return bundle.IsFile(fsys, at+"/x") }
	for _, p := range []string{"a", "a/a", "a/a/a/a", "b"} {
		root := bundle.Root(template, p, bundle.Target{Path: p, Has: has})
		sub, err := fs.Sub(template, root)
		require.NoError(t, err)
		at, ok := bundle.Locate(sub, p, has)
		require.True(t, ok)
		require.Equal(t, p, filepath.Join(root, at))
	}
}

func TestCopy(t *testing.T) {
	src, dst := t.TempDir(), filepath.Join(t.TempDir(), "copy")
	require.NoError(t, os.MkdirAll(filepath.Join(src, "d", "empty"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(src, "d", "run"), []byte("one"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(src, "text"), []byte("two"), 0o444))
	require.NoError(t, os.Symlink("d/run", filepath.Join(src, "link")))
	require.NoError(t, bundle.Copy(dst, src))
	require.DirExists(t, filepath.Join(dst, "d", "empty"))
	for name, mode := range map[string]fs.FileMode{"d/run": 0o700, "text": 0o600, "link": 0o700} {
		info, err := os.Lstat(filepath.Join(dst, name))
		require.NoError(t, err)
		require.Equal(t, mode, info.Mode(), name)
	}

	require.NoError(t, os.Symlink("/etc/hostname", filepath.Join(src, "out")))
	require.Error(t, bundle.Copy(dst, src), "a link that leads out is not followed")
}

func TestHash(t *testing.T) {
	dir := t.TempDir()
	hash := func() string {
		t.Helper()
		h, err := bundle.Hash(dir)
		require.NoError(t, err)
		return h
	}
	seen := map[string]bool{hash(): true}
	for _, change := range []func() error{
		func() error { return os.WriteFile(filepath.Join(dir, "a"), []byte("1"), 0o600) },
		func() error { return os.WriteFile(filepath.Join(dir, "a"), []byte("2"), 0o600) },
		func() error { return os.Chmod(filepath.Join(dir, "a"), 0o700) },
		func() error { return os.Rename(filepath.Join(dir, "a"), filepath.Join(dir, "b")) },
	} {
		require.NoError(t, change())
		require.False(t, seen[hash()])
		seen[hash()] = true
	}
	same := hash()
	require.Equal(t, same, hash())
}
