package stack

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/moby/moby/client"
)

// defaultNetworks are those that the engine makes itself.
var defaultNetworks = []string{"bridge", "host", "none"}

// ask calls fn with a client of the engine.
func (s *Stack) ask(fn func(*client.Client) error) error {
	c, err := s.Docker.Client()
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	return fn(c)
}

// bridge is the machine's own address on the network that containers reach it by.
func (s *Stack) bridge(ctx context.Context) (address netip.Addr, err error) {
	err = s.ask(func(c *client.Client) error {
		found, err := c.NetworkInspect(ctx, "bridge", client.NetworkInspectOptions{})
		if err != nil {
			return err
		}
		if configured := found.Network.IPAM.Config; len(configured) > 0 && configured[0].Gateway.IsValid() {
			address = configured[0].Gateway
			return nil
		}
		return errors.New("Docker's network bridge has no gateway")
	})
	return address, err
}

// containerIDs are those of all containers that run, in order.
func (s *Stack) containerIDs(ctx context.Context) (ids []string, err error) {
	err = s.ask(func(c *client.Client) error {
		found, err := c.ContainerList(ctx, client.ContainerListOptions{})
		for _, container := range found.Items {
			ids = append(ids, container.ID)
		}
		return err
	})
	slices.Sort(ids)
	return ids, err
}

// things are all containers, networks and volumes of the engine but the networks that it makes itself.
func (s *Stack) things(ctx context.Context) (all []string, err error) {
	err = s.ask(func(c *client.Client) error {
		containers, err1 := c.ContainerList(ctx, client.ContainerListOptions{All: true})
		for _, found := range containers.Items {
			all = append(all, "the container "+strings.TrimPrefix(strings.Join(found.Names, ","), "/"))
		}
		networks, err2 := c.NetworkList(ctx, client.NetworkListOptions{})
		for _, found := range networks.Items {
			if !slices.Contains(defaultNetworks, found.Name) {
				all = append(all, "the network "+found.Name)
			}
		}
		volumes, err3 := c.VolumeList(ctx, client.VolumeListOptions{})
		for _, found := range volumes.Items {
			all = append(all, "the volume "+found.Name)
		}
		return errors.Join(err1, err2, err3)
	})
	return all, err
}

// containerAddress is that of one of the containers of a step.
func (s *Stack) containerAddress(ctx context.Context, step string) (address string, err error) {
	err = s.ask(func(c *client.Client) error {
		found, err := c.ContainerList(ctx, client.ContainerListOptions{Filters: make(client.Filters).Add("label", "vivarium.step="+step)})
		if err != nil {
			return err
		}
		for _, container := range found.Items {
			for _, network := range container.NetworkSettings.Networks {
				address = network.IPAddress.String()
			}
		}
		if address == "" {
			return fmt.Errorf("no container of %s is on a network", step)
		}
		return nil
	})
	return address, err
}
