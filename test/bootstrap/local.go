package bootstrap

import (
	"context"
	"fmt"
	"slices"

	"github.com/moby/moby/client"

	"github.com/vivarium-env/vivarium/test/servers"
)

// InDocker makes it a place of the location local, on an engine that nobody else uses, which is given the images that it lacks. The program has to be
// a static one.
func (p *Place) InDocker(ctx context.Context, d *servers.Docker) error {
	p.Location, p.engine = "local", d
	return p.pack(ctx, d)
}

// lacking packs an image where the engine has none of the name: one that was packed anew would be another, and a change.
func lacking(ctx context.Context, d *servers.Docker, name string, pack func() error) error {
	c, err := d.Client()
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	list, err := c.ImageList(ctx, client.ImageListOptions{Filters: client.Filters{}.Add("reference", name)})
	if err != nil || len(list.Items) > 0 {
		return err
	}
	return pack()
}

// leftInDocker are containers, networks, volumes and images of the service that the engine has, besides the networks that every engine has.
func (p *Place) leftInDocker(ctx context.Context) (left []string, err error) {
	c, err := p.engine.Client()
	if err != nil {
		return nil, err
	}
	defer func() { _ = c.Close() }()
	containers, err := c.ContainerList(ctx, client.ContainerListOptions{All: true})
	if err != nil {
		return nil, err
	}
	for _, f := range containers.Items {
		left = append(left, "container "+f.Names[0])
	}
	networks, err := c.NetworkList(ctx, client.NetworkListOptions{})
	if err != nil {
		return nil, err
	}
	for _, n := range networks.Items {
		if !slices.Contains([]string{"bridge", "host", "none"}, n.Name) {
			left = append(left, "network "+n.Name)
		}
	}
	volumes, err := c.VolumeList(ctx, client.VolumeListOptions{})
	if err != nil {
		return nil, err
	}
	for _, v := range volumes.Items {
		left = append(left, "volume "+v.Name)
	}
	own, err := c.ImageList(ctx, client.ImageListOptions{Filters: client.Filters{}.Add("reference", "vivarium")})
	if err != nil {
		return nil, err
	}
	for _, i := range own.Items {
		left = append(left, fmt.Sprintf("image %v", i.RepoTags))
	}
	return left, nil
}
