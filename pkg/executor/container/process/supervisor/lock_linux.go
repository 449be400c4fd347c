package supervisor

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// The lock is one of the open file, which the kernel releases with the process, and which can be asked about without taking it.

// locked tells whether somebody holds the lock.
func locked(file string) (bool, error) {
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer func() { _ = f.Close() }()
	lock := unix.Flock_t{Type: unix.F_WRLCK}
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, &lock); err != nil {
		return false, err
	}
	return lock.Type != unix.F_UNLCK, nil
}

// errHeld: somebody else has the lock, or its folder is gone.
var errHeld = errors.New("somebody else has it")

// take takes the lock until the file is closed.
func take(file string) (*os.File, error) {
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK})
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) || err == nil && !same(f, file) {
		err = errHeld
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// same tells whether the file is still the one of that name: it may have been removed before its lock was taken.
func same(f *os.File, name string) bool {
	has, err := f.Stat()
	if err != nil {
		return false
	}
	is, err := os.Stat(name)
	return err == nil && os.SameFile(has, is)
}
