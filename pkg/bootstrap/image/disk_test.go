package image

import (
	"crypto/rand"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/test/servers"
)

// TestDockerOnAFullDisk: an engine without room says so, has nothing of the image, and takes it once there is room.
func TestDockerOnAFullDisk(t *testing.T) {
	if testing.Short() || os.Getuid() != 0 {
		t.Skip("needs a Docker Engine on a small disk, as root")
	}
	dir, err := os.MkdirTemp("", "vivarium-image-") // its sockets need a short name
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.Remove(dir)) })
	require.NoError(t, syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=48m"))
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
	engine, err := servers.StartDocker(t.Context(), dir)
	require.NoError(t, err)
	t.Cleanup(func() { _ = engine.Discard() })
	d, err := OpenDocker(engine.Host())
	require.NoError(t, err)
	defer func() { require.NoError(t, d.Close()) }()

	large := sample(t)
	f, err := os.OpenFile(large.File, os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	more := make([]byte, 64<<20) // that nothing makes smaller
	_, _ = rand.Read(more)
	_, err = f.Write(more)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	i, err := Of(Source{Programs: []Program{large}, Version: "1.0.0"})
	require.NoError(t, err)

	err = d.Load(t.Context(), i)
	require.ErrorContains(t, err, "no space left")
	require.ErrorContains(t, err, "make room below its data root")
	require.True(t, fault.Is(err, fault.Unavailable), "%v", err)
	require.Equal(t, fault.Wait, fault.From(err).Disposition)
	there, err := d.Has(t.Context(), i)
	require.NoError(t, err)
	require.False(t, there)

	require.NoError(t, syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=512m"))
	require.NoError(t, d.Load(t.Context(), i))
}
