package servers

import (
	"context"
	"fmt"
	"os"
	"syscall"
	"time"
)

// lockFile takes the lock of a file, waiting until ctx ends. The kernel gives it back when the process dies, so a
// crash leaves nothing to clean.
func lockFile(ctx context.Context, path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		if err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err == nil {
			return func() { _ = f.Close() }, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			_ = f.Close()
			return nil, fmt.Errorf("waiting for another process that holds %s: %w", path, ctx.Err())
		}
	}
}
