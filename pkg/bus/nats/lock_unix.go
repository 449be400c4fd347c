//go:build unix

package nats

import (
	"os"
	"sync"
	"syscall"
)

// lock takes a file for this process; the kernel gives it back when the process dies.
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, err
	}
	return sync.OnceFunc(func() { _ = f.Close() }), nil
}
