package process

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/executor/container/process/supervisor"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// fill uses up all the room that there is, and returns what gives it back.
func fill(t *testing.T, folder string) (empty func()) {
	t.Helper()
	file := filepath.Join(folder, "filler")
	f, err := os.Create(file)
	require.NoError(t, err)
	for _, size := range []int{64 << 10, 512, 1} { // down to the last byte of the last page
		for piece := make([]byte, size); err == nil; {
			_, err = f.Write(piece)
		}
		require.ErrorIs(t, err, syscall.ENOSPC)
		err = nil
	}
	require.NoError(t, f.Close())
	return func() { require.NoError(t, os.Remove(file)) }
}

// TestFullDisk: nothing is begun that could not be finished, and what runs goes on; when there is room again, all is as it should be.
func TestFullDisk(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Log("NOT RUN: only root can make a small disk")
		return
	}
	port := freePort(t)
	b := newBed(t, serving(port, "", ""))
	folder := b.options.Folder
	require.NoError(t, syscall.Mount("none", folder, "tmpfs", 0, "size=1m"))
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(folder, syscall.MNT_DETACH)) })
	t.Cleanup(func() { require.NoError(t, b.Destroy(context.Background(), b.request)) })

	empty := fill(t, folder)
	f := b.fails(fault.ExecutorFailed, "no space left")
	require.Equal(t, fault.Retry, f.Disposition)
	empty()
	b.apply()
	empty = fill(t, folder)
	for range 20 {
		b.from(port, "/say?text="+url.QueryEscape(strings.Repeat("x", 1000)))
	}
	require.False(t, b.observe().Drifted)
	empty()
	b.from(port, "/say?text=again")
	said := func() (text string) {
		r := supervisor.Read(b.all()[0].folder)
		defer func() { require.NoError(t, r.Close()) }()
		require.NoError(t, r.Lines(func(_ time.Time, _, line string) bool { text += line + "\n"; return true }))
		return text
	}
	eventually(t, func() bool { return strings.HasSuffix(said(), "again\n") })
	require.Contains(t, said(), "are left out here: they could not be written")
}
