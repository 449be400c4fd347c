package docker

import (
	"context"

	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/client"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/container"
	"github.com/vivarium-env/vivarium/pkg/executor/container/internal/replicas"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/secret"
)

// work is one call of a method.
type work struct {
	*Executor
	r      executor.Request
	block  container.Block
	docker *client.Client

	// image that the block asks for; nil when it is not there.
	image *image.InspectResponse
	// hash is the fingerprint of what a container is to be made of; "" without an image.
	hash string
	// taking is what an adoption is about to take over.
	taking *found
	// kept is the mark in the step's state.
	kept mark
}

func (e *Executor) begin(ctx context.Context, r executor.Request) (*work, error) {
	w, wrong, err := e.loosely(ctx, r)
	if err == nil {
		err = wrong
	}
	if err != nil {
		return nil, err
	}
	return w, nil
}

// loosely also takes a block that no apply could use, and tells what is wrong with it: what is there can be looked at and removed without.
func (e *Executor) loosely(ctx context.Context, r executor.Request) (w *work, wrong, err error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, fault.From(err)
	}
	block, wrong := container.Decode(r)
	if refused := block.OnlyOnKubernetes(); wrong == nil && refused != "" {
		wrong = container.Invalid(r, "%s", refused)
	}
	docker, err := e.client()
	if err != nil {
		return nil, nil, err
	}
	return &work{Executor: e, r: r, block: block, docker: docker, kept: remembered(r.State)}, wrong, nil
}

// call bounds a request, and says what its error means.
func (w *work) call(ctx context.Context, f func(context.Context) error) error {
	bounded, cancel := context.WithTimeout(ctx, w.options.Timeout)
	defer cancel()
	return w.fault(ctx, f(bounded))
}

func (w *work) box() *secret.Box {
	if w.options.Key == nil {
		return nil
	}
	return w.options.Key()
}

// fingerprint of what a container of this image would be made of.
func (w *work) fingerprint(imageID string) (string, error) {
	b := w.block
	// What changes nothing in a container replaces none.
	b.Replicas, b.Pull, b.Update, b.Image = 0, "", container.Update{}, ""
	return container.Fingerprint(w.box(), w.r, b, imageID)
}

// target is what the call does with the replicas, by what Docker can do with a container.
func (w *work) target() replicas.Target[found] {
	return replicas.Target[found]{
		Request: w.r, Block: w.block, Compare: w.compare, Healthy: w.healthy, Replace: w.replace, Remove: w.remove, Drift: w.drift, Left: w.left,
	}
}

// grace is a context for what has to be put right although the work was cancelled.
func (w *work) grace(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), w.options.Grace)
}
