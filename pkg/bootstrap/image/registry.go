package image

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Registry is where a cluster pulls images from.
type Registry struct {
	// Address is HOST[:PORT][/PATH], below which the repository vivarium is. One on this machine or in a private network may be without TLS.
	Address string
	// Login has who pushes; nobody in particular unless given.
	Login authn.Keychain
	// Transport carries the requests; one that checks certificates by the system's roots unless given.
	Transport http.RoundTripper
}

// Name is that of the image in the registry. An address that is none is fault.Invalid.
func (r Registry) Name(i *Image) (string, error) {
	ref, err := r.tag(i)
	if err != nil {
		return "", err
	}
	return ref.Name(), nil
}

func (r Registry) tag(i *Image) (name.Tag, error) {
	ref, err := name.NewTag(r.Address+"/"+i.Name(), name.StrictValidation)
	if err != nil || strings.Contains(r.Address, "://") {
		return ref, fault.Wrap(err, fault.Reject, fault.Invalid, "%q is no address of a registry: it has to be HOST[:PORT][/PATH], such as registry.example.test/team", r.Address)
	}
	return ref, nil
}

// Has tells whether the registry has just this image. One that does not say what it has to who asks may have it.
func (r Registry) Has(ctx context.Context, i *Image) (bool, error) {
	ref, err := r.tag(i)
	if err != nil {
		return false, err
	}
	found, err := remote.Image(ref, r.options(ctx)...)
	if err != nil {
		return false, r.unlessAbsent(ctx, err)
	}
	config, err := found.ConfigFile()
	if err != nil {
		return false, r.unlessAbsent(ctx, err)
	}
	return len(config.RootFS.DiffIDs) == 1 && config.RootFS.DiffIDs[0] == i.id, nil
}

// unlessAbsent is nil where the registry has answered: some tell nobody that a thing is not there.
func (r Registry) unlessAbsent(ctx context.Context, err error) error {
	var said *transport.Error
	if errors.As(err, &said) && said.StatusCode >= 400 && said.StatusCode < 500 {
		return nil
	}
	return r.fault(ctx, err, "")
}

// Push gives the registry the image, unless it has it.
func (r Registry) Push(ctx context.Context, i *Image) error {
	ref, err := r.tag(i)
	if err != nil {
		return err
	}
	if err := remote.Write(ref, i.made, r.options(ctx)...); err != nil {
		return r.fault(ctx, err, ref.Name())
	}
	return nil
}

func (r Registry) options(ctx context.Context) []remote.Option {
	o := []remote.Option{remote.WithContext(ctx)}
	if r.Login != nil {
		o = append(o, remote.WithAuthFromKeychain(r.Login))
	}
	if r.Transport != nil {
		o = append(o, remote.WithTransport(r.Transport))
	}
	return o
}

// fault says who refuses what, and what to do.
func (r Registry) fault(ctx context.Context, err error, what string) error {
	var said *transport.Error
	switch {
	case ctx.Err() != nil:
		return fault.From(ctx.Err())
	case !errors.As(err, &said):
		return fault.Wrap(err, fault.Wait, fault.Unavailable, "the registry %s can't be reached: see to its address, to the way there and to its certificate", r.Address)
	case said.StatusCode == http.StatusUnauthorized, said.StatusCode == http.StatusForbidden:
		return fault.Wrap(err, fault.GiveUp, fault.PermissionDenied, "the registry %s does not let this user push %s: log in with `docker login` (or podman, or a credential helper) "+
			"as somebody who may", r.Address, what)
	case said.StatusCode == http.StatusNotFound:
		return fault.Wrap(err, fault.GiveUp, fault.NotFound, "the registry %s does not take %s: there is no such repository, and it makes none by itself; make it there", r.Address, what)
	}
	return fault.Wrap(err, fault.Wait, fault.Unavailable, "the registry %s did not take %s: see to that there", r.Address, what)
}
