package faults

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// storeFull fills the file system of the store while environments come and go, and frees it again.
func storeFull(t *testing.T, r *row) {
	ctx, cancel := context.WithTimeout(t.Context(), either(15*time.Minute, 3*time.Minute))
	defer cancel()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64m"); err != nil {
		r.note = "NOT RUN: a small file system can't be mounted here (" + err.Error() + "); run it as root"
		t.Log(r.note)
		fmt.Fprintln(os.Stderr, "faults: store-full:", r.note)
		return
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	c := newCluster(t, ctx, clusterOptions{servers: 1, runners: 2, dataDir: dir})
	for r.rounds < either(4, 1) {
		r.rounds++
		require.NoError(t, c.fullRound(ctx, dir, r.rounds))
	}
	c.verify(r, proof{})
}

// fullRound begins while there is room, fills the disk in the middle, sends more commands until the store has
// complained, and frees it: all of them are carried out.
func (c *cluster) fullRound(ctx context.Context, dir string, round int) error {
	before := strings.Count(c.servers[0].log(), complaint)
	waves := make(chan error)
	begun := 0
	wave := func() {
		begun++
		prefix := fmt.Sprintf("f%d-%d", round, begun)
		go func() { waves <- c.wave(ctx, prefix, 4, true, matrix) }()
	}
	wave()
	pause(ctx, time.Second)
	ballast := filepath.Join(dir, "ballast")
	if err := fill(ballast); err != nil {
		return err
	}
	err := until(ctx, "a full disk was not noticed", func() bool {
		if begun < 40 {
			wave()
		}
		pause(ctx, 500*time.Millisecond)
		return strings.Count(c.servers[0].log(), complaint) > before
	})
	pause(ctx, either(10*time.Second, 3*time.Second))
	err = errors.Join(err, os.Remove(ballast))
	for range begun {
		err = errors.Join(err, <-waves)
	}
	return err
}

// complaint is what a server prints when its store does not take what was decided.
const complaint = "the store can't be used"

// fill writes until nothing more fits.
func fill(file string) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	for size := 1 << 20; size > 0; {
		if _, err := f.Write(make([]byte, size)); err == nil {
			continue
		} else if !errors.Is(err, syscall.ENOSPC) {
			return err
		}
		size /= 16
	}
	return nil
}
