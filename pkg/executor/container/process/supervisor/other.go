//go:build !linux

package supervisor

import (
	"errors"
	"os"
	"syscall"
)

// What needs /proc is not to be had here.

var errHeld = errors.New("somebody else has it")

// Alive is always false.
func (Identity) Alive() bool { return false }

func (Identity) signal(syscall.Signal) error { return errors.ErrUnsupported }

func locked(string) (bool, error) { return false, nil }

func take(string) (*os.File, error) { return nil, errors.ErrUnsupported }

func marked(string) []int { return nil }

func signalTo(int, syscall.Signal) {}

func supervise(string, Spec, func()) error { return errors.ErrUnsupported }

// Use is what the processes of a program use.
type Use struct {
	Ticks  uint64
	Memory int64
}

// Uses is nothing.
func Uses(string) Use { return Use{} }
