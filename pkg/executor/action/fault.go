package action

import (
	"context"
	"errors"
	"io/fs"
	"syscall"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// unstartable are the errors of a start that the next attempt would meet again.
var unstartable = []error{fs.ErrNotExist, fs.ErrPermission, syscall.ENOEXEC, syscall.E2BIG, syscall.ENOTDIR}

func startFault(ctx context.Context, r executor.Request, command string, err error) error {
	if ctx.Err() != nil {
		return fault.From(ctx.Err())
	}
	for _, u := range unstartable {
		if errors.Is(err, u) {
			return notFound(r, command, err)
		}
	}
	return fault.Wrap(err, fault.Retry, fault.ExecutorFailed, "the command %q of %s can't be started", r.Mask(command), r.Step)
}

func notFound(r executor.Request, command string, err error) error {
	return fault.Wrap(err, fault.GiveUp, fault.ExecutorFailed,
		"the command %q of %s is no program that can be run here: install it on the runner, name an app block that "+
			"fetches it, or put it among the block's files with the executable bit set (a script needs its interpreter too)",
		r.Mask(command), r.Step)
}

func exitFault(r executor.Request, command string, code int, lastLine string) error {
	if lastLine == "" {
		return fault.New(fault.Retry, fault.ExecutorFailed, "the command %q of %s ended with exit code %d and said nothing on stderr",
			r.Mask(command), r.Step, code)
	}
	return fault.New(fault.Retry, fault.ExecutorFailed, "the command %q of %s ended with exit code %d: %s",
		r.Mask(command), r.Step, code, r.Mask(lastLine))
}
