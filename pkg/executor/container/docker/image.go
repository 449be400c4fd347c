package docker

import (
	"context"
	"fmt"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/client"

	"github.com/vivarium-env/vivarium/pkg/executor/container"
	"github.com/vivarium-env/vivarium/pkg/executor/container/internal/replicas"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// lookAtImage fills in the image, where the engine has it, and what follows from it.
func (w *work) lookAtImage(ctx context.Context) error {
	if w.block.Image == "" {
		return nil // not known yet
	}
	var err error
	if w.image, err = w.inspectImage(ctx, w.block.Image); err != nil || w.image == nil {
		return err
	}
	w.hash, err = w.fingerprint(w.image.ID)
	return err
}

// inspectImage is nil for one that the engine does not have.
func (w *work) inspectImage(ctx context.Context, name string) (found *image.InspectResponse, err error) {
	err = w.call(ctx, func(ctx context.Context) error {
		got, err := w.docker.ImageInspect(ctx, name)
		switch {
		case cerrdefs.IsNotFound(err):
			return nil
		case err == nil:
			found = &got.InspectResponse
		}
		return err
	})
	return found, err
}

// ensureImage has the engine pull the image where the block's policy says so.
func (w *work) ensureImage(ctx context.Context) error {
	if err := w.lookAtImage(ctx); err != nil {
		return err
	}
	switch {
	case w.block.Pull == container.PullAlways, w.image == nil && w.block.Pull == container.PullMissing:
		if err := w.pull(ctx); err != nil {
			return err
		}
		if err := w.lookAtImage(ctx); err != nil {
			return err
		}
	}
	if w.image == nil {
		return w.missing(nil)
	}
	return nil
}

// pull goes on as long as the step's own deadline allows: images are large.
func (w *work) pull(ctx context.Context) error {
	replicas.Say(w.r, "pulling %s", w.block.Image)
	start := time.Now()
	stream, err := w.docker.ImagePull(ctx, w.block.Image, client.ImagePullOptions{})
	if err != nil {
		return w.pullFault(ctx, err)
	}
	defer func() { _ = stream.Close() }()
	layers := map[string]bool{} // whether each is there
	for message, err := range stream.JSONMessages(ctx) {
		if err == nil && message.Error != nil {
			err = fmt.Errorf("%w: %s", cerrdefs.ErrInternal, message.Error.Message)
		}
		if err != nil {
			return w.pullFault(ctx, err)
		}
		if message.ID != "" {
			layers[message.ID] = message.Status == "Pull complete" || message.Status == "Already exists"
			replicas.Progress(w.r, "pulling "+w.block.Image, done(layers), len(layers))
		}
	}
	replicas.Say(w.r, "pulled %s in %s", w.block.Image, time.Since(start).Round(time.Millisecond))
	return nil
}

func done(layers map[string]bool) (n int) {
	for _, there := range layers {
		if there {
			n++
		}
	}
	return n
}

func (w *work) pullFault(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil, !refused(err):
		return w.fault(ctx, err)
	case cerrdefs.IsNotFound(err):
		return w.missing(err)
	case cerrdefs.IsInvalidArgument(err):
		return container.Invalid(w.r, "image = %q is no name of an image: %s", w.block.Image, w.said(err))
	}
	return fault.Wrap(err, fault.Retry, fault.ExecutorFailed, "Docker at %s could not pull the image %q of %s: %s",
		w.place.shown, w.r.Mask(w.block.Image), w.r.Step, w.said(err))
}
