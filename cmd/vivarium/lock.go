package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const lockFile = "lock"

// lockWait is how long the lock may be held by somebody who only looks whether it is held.
const lockWait = 500 * time.Millisecond

// lock holds a folder for one process. The kernel lets go of it when the process ends, in whatever way.
type lock struct{ file *os.File }

// takeLock fails when another process has the folder, and names it.
func takeLock(ctx context.Context, dir string) (*lock, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := flock(ctx, f); err != nil {
		defer f.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("can't lock the folder %s: %w", dir, err)
		}
		return nil, fmt.Errorf("the folder %s is in use by %s; stop it, or give this one another folder", dir, holder(dir))
	}
	if err := errors.Join(f.Truncate(0), writeTo(f, strconv.Itoa(os.Getpid())+"\n")); err != nil {
		f.Close()
		return nil, err
	}
	return &lock{f}, nil
}

func writeTo(f *os.File, text string) error {
	_, err := f.WriteAt([]byte(text), 0)
	return err
}

func flock(ctx context.Context, f *os.File) error {
	deadline := time.NewTimer(lockWait)
	defer deadline.Stop()
	again := time.NewTicker(lockWait / 10)
	defer again.Stop()
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return err
		}
		select {
		case <-again.C:
		case <-deadline.C:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (l *lock) release() error { return l.file.Close() }

// locked tells whether a process has the folder now.
func locked(dir string) bool {
	f, err := os.Open(filepath.Join(dir, lockFile))
	if err != nil {
		return false
	}
	defer f.Close()
	return errors.Is(syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB), syscall.EWOULDBLOCK)
}

func holder(dir string) string {
	text, err := os.ReadFile(filepath.Join(dir, lockFile))
	if pid := strings.TrimSpace(string(text)); err == nil && pid != "" {
		return "process " + pid
	}
	return "another process"
}
