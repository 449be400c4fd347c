package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// goesOn is what to do about whatever another run may get over.
const goesOn = "run the same command again, which goes on from here"

// again says what to do about an error that a run ends with, wherever it was met: about a full disk, and about what may be there the next
// time, such as a bus that has not confirmed a command or a service that has not answered one.
func (x *raising) again(err error) error {
	var f *fault.Error
	found := errors.As(err, &f)
	switch {
	case errors.Is(err, context.Canceled): // somebody has ended it
		return err
	case errors.Is(err, syscall.ENOSPC):
		at := x.f.Work
		if file := (*fs.PathError)(nil); errors.As(err, &file) {
			at = file.Path // it may be that of the keys, which are elsewhere
		}
		return fmt.Errorf("%w; the disk is full: make room for %s, and %s", err, at, goesOn)
	case found && (f.Disposition == fault.Retry || f.Disposition == fault.Wait), !found && errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w; %s", err, goesOn)
	}
	return err
}
