package docker

import (
	"context"
	"errors"
	"strings"

	cerrdefs "github.com/containerd/errdefs"

	"github.com/vivarium-env/vivarium/pkg/executor/container"
	"github.com/vivarium-env/vivarium/pkg/executor/container/internal/replicas"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// refused tells whether an error is the engine's answer, and no failure to get one.
func refused(err error) bool {
	for _, is := range []func(error) bool{
		cerrdefs.IsInvalidArgument, cerrdefs.IsUnauthorized, cerrdefs.IsPermissionDenied, cerrdefs.IsNotFound, cerrdefs.IsConflict,
		cerrdefs.IsAlreadyExists, cerrdefs.IsInternal, cerrdefs.IsNotImplemented, cerrdefs.IsNotModified, cerrdefs.IsFailedPrecondition, cerrdefs.IsUnknown,
	} {
		if is(err) {
			return true
		}
	}
	return false
}

// fault says what an error of the client means. It goes by the classes of errors, never by the words of a message.
func (w *work) fault(ctx context.Context, err error) error {
	var f *fault.Error
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fault.From(ctx.Err())
	case errors.As(err, &f):
		return f
	case !refused(err):
		return fault.Wrap(err, fault.Wait, fault.Unavailable, "Docker at %s does not answer: is the engine running, and may the runner use it?", w.place.shown)
	case cerrdefs.IsUnauthorized(err), cerrdefs.IsPermissionDenied(err):
		return fault.Wrap(err, fault.GiveUp, fault.ExecutorFailed, "Docker at %s does not let the runner do what %s needs: %s", w.place.shown, w.r.Step, w.said(err))
	case cerrdefs.IsInvalidArgument(err), cerrdefs.IsNotImplemented(err):
		return fault.Wrap(err, fault.GiveUp, fault.Invalid, "Docker at %s does not take the block of %s: %s", w.place.shown, w.r.Step, w.said(err))
	}
	// What is missing, in the way or has failed may be different in a moment, since others work on the same engine.
	return fault.Wrap(err, fault.Retry, fault.ExecutorFailed, "Docker at %s could not do what %s needs: %s", w.place.shown, w.r.Step, w.said(err))
}

// said is the engine's own message, for people: masked, on one line and not too long.
func (w *work) said(err error) string {
	const enough = 500
	text := strings.TrimPrefix(err.Error(), "Error response from daemon: ")
	return replicas.Cut(w.r.Mask(strings.Join(strings.Fields(text), " ")), enough)
}

// missing is the error where an image is not there and can't be had.
func (w *work) missing(cause error) error {
	if w.block.Pull == container.PullNever {
		return fault.Wrap(cause, fault.GiveUp, fault.NotFound,
			"Docker at %s has no image %q for %s, whose block says pull = %q: load the image there, or let it be pulled",
			w.place.shown, w.r.Mask(w.block.Image), w.r.Step, container.PullNever)
	}
	return fault.Wrap(cause, fault.GiveUp, fault.NotFound,
		"there is no image %q for %s, or Docker at %s may not pull it: look at its name and tag, and at the engine's login to the registry",
		w.r.Mask(w.block.Image), w.r.Step, w.place.shown)
}
