package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/vivarium-env/vivarium/pkg/bootstrap/image"
)

// imagePlace is where containers find an image.
type imagePlace interface {
	// Name is that of the image there.
	Name(*image.Image) (string, error)
	Has(context.Context, *image.Image) (bool, error)
	Push(context.Context, *image.Image) error
	fmt.Stringer
}

// provide has the image there, and does nothing where it is.
func provide(ctx context.Context, place imagePlace, i *image.Image) error {
	there, err := place.Has(ctx, i)
	if err != nil || there {
		return err
	}
	return place.Push(ctx, i)
}

// inRegistry is a place that a cluster pulls from, as whom Docker's and Podman's own tools have logged in.
type inRegistry struct{ image.Registry }

func pushed(registry string) inRegistry {
	return inRegistry{image.Registry{Address: registry, Login: authn.DefaultKeychain}}
}

func (r inRegistry) String() string { return "in the registry " + r.Address }

// inDocker is the engine at an address.
type inDocker struct{ address string }

func (d inDocker) String() string { return "in the Docker at " + d.address }

// Name is the same wherever it is.
func (d inDocker) Name(i *image.Image) (string, error) { return i.Name(), nil }

// Has asks the engine.
func (d inDocker) Has(ctx context.Context, i *image.Image) (there bool, err error) {
	err = d.with(func(c *image.Docker) (err error) {
		there, err = c.Has(ctx, i)
		return err
	})
	return there, err
}

// Push loads it.
func (d inDocker) Push(ctx context.Context, i *image.Image) error {
	return d.with(func(c *image.Docker) error { return c.Load(ctx, i) })
}

// remove is image.Docker's.
func (d inDocker) remove(ctx context.Context, name string) (by []string, err error) {
	err = d.with(func(c *image.Docker) (err error) {
		by, err = c.Remove(ctx, name)
		return err
	})
	return by, err
}

func (d inDocker) with(work func(*image.Docker) error) error {
	c, err := image.OpenDocker(d.address)
	if err != nil {
		return err
	}
	return errors.Join(work(c), c.Close())
}
