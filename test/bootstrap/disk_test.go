package bootstrap

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// small is a small disk.
func (p *Place) small(t *testing.T, name, size string) string {
	t.Helper()
	dir := filepath.Join(p.Dir, name)
	require.NoError(t, os.Mkdir(dir, 0o711))
	require.NoError(t, syscall.Mount("none", dir, "tmpfs", 0, "size="+size), "only root can make a small disk")
	return dir
}

// fills uses up all the room that there is, and returns what gives it back.
func fills(t *testing.T, disk string) (empty func()) {
	t.Helper()
	file := filepath.Join(disk, "filler")
	f, err := os.Create(file)
	require.NoError(t, err)
	for _, size := range []int{1 << 20, 4 << 10, 1} { // down to the last byte of the last page
		for piece := make([]byte, size); err == nil; {
			_, err = f.Write(piece)
		}
		require.ErrorIs(t, err, syscall.ENOSPC)
		err = nil
	}
	require.NoError(t, f.Close())
	return func() { _ = os.Remove(file) } // a test that has ended has no use for it
}
