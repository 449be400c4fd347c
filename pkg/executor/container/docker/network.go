package docker

import (
	"context"
	"slices"
	"strings"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"

	"github.com/vivarium-env/vivarium/pkg/executor/container"
)

// ensureNetworks makes those that are missing. One that is there is used, whoever made it.
func (w *work) ensureNetworks(ctx context.Context) error {
	w.nets.Lock()
	defer w.nets.Unlock()
	for _, name := range w.block.Networks {
		if predefined(name) {
			continue
		}
		if err := w.ensureNetwork(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

func (w *work) ensureNetwork(ctx context.Context, name string) error {
	there, err := w.networks(ctx, client.Filters{}.Add("name", name), name)
	if err != nil || len(there) > 0 {
		return err
	}
	var made client.NetworkCreateResult
	if err := w.call(ctx, func(ctx context.Context) (err error) {
		made, err = w.docker.NetworkCreate(ctx, name, client.NetworkCreateOptions{Driver: "bridge", Labels: container.Owner(w.r)})
		return err
	}); err != nil {
		return err
	}
	w.say("network %s is made", name)
	return w.settleNetwork(ctx, name, made.ID)
}

// settleNetwork sees to it that one network has the name: another runner may have made one at the same moment. The older one
// stays, by which all agree.
func (w *work) settleNetwork(ctx context.Context, name, id string) error {
	there, err := w.networks(ctx, client.Filters{}.Add("name", name), name)
	if err != nil || len(there) < 2 {
		return err
	}
	oldest := slices.MinFunc(there, func(a, b network.Summary) int {
		if c := a.Created.Compare(b.Created); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	if oldest.ID == id {
		return nil
	}
	return w.removeNetwork(ctx, id)
}

// networks that pass the filter; Docker's filter of names takes parts of them, so name, when given, is compared again.
func (w *work) networks(ctx context.Context, filter client.Filters, name string) (all []network.Summary, err error) {
	err = w.call(ctx, func(ctx context.Context) error {
		got, err := w.docker.NetworkList(ctx, client.NetworkListOptions{Filters: filter})
		all = got.Items
		return err
	})
	return slices.DeleteFunc(all, func(n network.Summary) bool { return name != "" && n.Name != name }), err
}

// leaveNetworks removes networks that some environment of Vivarium made and nobody is in any more: those that the step made,
// and those of its block, less those to keep.
func (w *work) leaveNetworks(ctx context.Context, keep []string) error {
	w.nets.Lock()
	defer w.nets.Unlock()
	candidates, err := w.ownNetworks(ctx)
	if err != nil {
		return err
	}
	for _, name := range w.block.Networks {
		of, err := w.networks(ctx, client.Filters{}.Add("name", name).Add("label", container.LabelEnvironment), name)
		if err != nil {
			return err
		}
		candidates = append(candidates, of...)
	}
	for _, n := range candidates {
		if slices.Contains(keep, n.Name) {
			continue
		}
		used, err := w.used(ctx, "network", n.ID)
		if err != nil {
			return err
		}
		if !used {
			if err := w.removeNetwork(ctx, n.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// ownNetworks are those that the step made.
func (w *work) ownNetworks(ctx context.Context) ([]network.Summary, error) {
	return w.networks(ctx, client.Filters{}.Add("label", container.LabelEnvironment+"="+w.r.Environment, container.LabelStep+"="+w.r.Step), "")
}

// used tells whether a container, running or not, is in a network or has a volume.
func (w *work) used(ctx context.Context, what, id string) (used bool, err error) {
	err = w.call(ctx, func(ctx context.Context) error {
		got, err := w.docker.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: client.Filters{}.Add(what, id)})
		used = len(got.Items) > 0
		return err
	})
	return used, err
}

// removeNetwork succeeds where it is gone, and where somebody has just come into it.
func (w *work) removeNetwork(ctx context.Context, id string) error {
	return w.call(ctx, func(ctx context.Context) error {
		_, err := w.docker.NetworkRemove(ctx, id, client.NetworkRemoveOptions{})
		if cerrdefs.IsNotFound(err) || cerrdefs.IsConflict(err) || cerrdefs.IsPermissionDenied(err) {
			return nil // 403 is Docker's answer for a network with active endpoints
		}
		return err
	})
}
