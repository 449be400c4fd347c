package image

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net"
	"strings"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/moby/moby/client"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Docker is an engine.
type Docker struct {
	address string
	client  *client.Client
}

// OpenDocker connects to an engine (unix:///PATH), when it is first asked for something. It is to be closed.
func OpenDocker(address string) (*Docker, error) {
	c, err := client.New(client.WithHost(address))
	if err != nil {
		return nil, fault.Wrap(err, fault.Reject, fault.Invalid, "%s is no address of a Docker: it has to be unix:///PATH", address)
	}
	return &Docker{address: address, client: c}, nil
}

// Close ends the connection.
func (d *Docker) Close() error { return d.client.Close() }

// Has tells whether the engine has just this image under its name.
func (d *Docker) Has(ctx context.Context, i *Image) (bool, error) {
	found, err := d.client.ImageInspect(ctx, i.Name())
	switch {
	case cerrdefs.IsNotFound(err):
		return false, nil
	case err != nil:
		return false, d.fault(ctx, err, "could not say whether it has "+i.Name())
	}
	return len(found.RootFS.Layers) == 1 && found.RootFS.Layers[0] == i.id.String(), nil
}

// Load gives the engine the image, under its name.
func (d *Docker) Load(ctx context.Context, i *Image) error {
	archive, writing := i.archive()
	said, err := d.client.ImageLoad(ctx, archive)
	if err != nil {
		return errors.Join(d.fault(ctx, err, "did not take "+i.Name()), stopped(archive, writing))
	}
	defer func() { _ = said.Close() }()
	err = loaded(said)
	if broken := stopped(archive, writing); broken != nil {
		return fault.Wrap(broken, fault.GiveUp, fault.Unreadable, "%s could not be made", i.Name())
	}
	if err != nil {
		return d.fault(ctx, err, "did not take "+i.Name())
	}
	there, err := d.Has(ctx, i)
	if err == nil && !there {
		err = fault.New(fault.Retry, fault.Unavailable, "Docker at %s has taken %s, and does not have it", d.address, i.Name())
	}
	return err
}

// loaded reads to the end what the engine says; an error is the last of it.
func loaded(said io.Reader) error {
	for lines := json.NewDecoder(said); ; {
		var line struct{ Error string }
		switch err := lines.Decode(&line); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case line.Error != "":
			return cerrdefs.ErrInternal.WithMessage(line.Error)
		}
	}
}

// Remove takes the image away, unless something uses it: then it stays, and by says who does.
func (d *Docker) Remove(ctx context.Context, name string) (by []string, err error) {
	using, err := d.client.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: client.Filters{}.Add("ancestor", name)})
	if err != nil && !cerrdefs.IsNotFound(err) {
		return nil, d.fault(ctx, err, "could not say who uses "+name)
	}
	for _, c := range using.Items {
		by = append(by, "container "+strings.TrimPrefix(strings.Join(c.Names[:min(1, len(c.Names))], ""), "/"))
	}
	if len(by) > 0 {
		return by, nil
	}
	_, err = d.client.ImageRemove(ctx, name, client.ImageRemoveOptions{PruneChildren: true})
	switch {
	case cerrdefs.IsNotFound(err):
		return nil, nil
	case cerrdefs.IsConflict(err):
		return []string{short(err)}, nil
	case err != nil:
		return nil, d.fault(ctx, err, "could not remove "+name)
	}
	return nil, nil
}

// fault goes by the classes of errors.
func (d *Docker) fault(ctx context.Context, err error, what string) error {
	switch {
	case ctx.Err() != nil:
		return fault.From(ctx.Err())
	case client.IsErrConnectionFailed(err) && d.forbidden(ctx), cerrdefs.IsPermissionDenied(err), cerrdefs.IsUnauthorized(err):
		return fault.Wrap(err, fault.GiveUp, fault.PermissionDenied, "this user may not use Docker at %s: run this as root, or as a member of the group that its socket belongs to", d.address)
	case client.IsErrConnectionFailed(err):
		return fault.Wrap(err, fault.Wait, fault.Unavailable, "Docker at %s does not answer: start the engine", d.address)
	}
	return fault.Wrap(err, fault.Wait, fault.Unavailable, "Docker at %s %s: see to that, and where its disk is full, make room below its data root", d.address, what)
}

// forbidden tells whether the socket may not be used, which an error of the client does not.
func (d *Docker) forbidden(ctx context.Context) bool {
	c, err := (&net.Dialer{}).DialContext(ctx, "unix", strings.TrimPrefix(d.address, "unix://"))
	if err == nil {
		_ = c.Close()
	}
	return errors.Is(err, fs.ErrPermission)
}

// short is a message on one line, and not too long.
func short(err error) string {
	const enough = 500
	text := strings.Join(strings.Fields(strings.TrimPrefix(err.Error(), "Error response from daemon: ")), " ")
	return text[:min(len(text), enough)]
}
