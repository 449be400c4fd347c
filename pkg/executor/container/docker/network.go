package docker

import (
	"cmp"
	"context"
	"slices"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"

	"github.com/vivarium-env/vivarium/pkg/executor/container"
	"github.com/vivarium-env/vivarium/pkg/executor/container/internal/replicas"
	"github.com/vivarium-env/vivarium/pkg/fault"
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

// settling is how often a network is looked at that is there more than once.
const settling = 50

// ensureNetwork returns once exactly one network has the name: Docker lets two runners make two of them at the same moment.
func (w *work) ensureNetwork(ctx context.Context, name string) error {
	for range settling {
		there, err := w.networks(ctx, client.Filters{}.Add("name", name), name)
		switch {
		case err != nil || len(there) == 1:
			return err
		case len(there) == 0:
			err = w.makeNetwork(ctx, name)
		default:
			err = w.settleNetwork(ctx, there)
		}
		if err != nil {
			return err
		}
	}
	return fault.New(fault.GiveUp, fault.Conflict, "Docker at %s has several networks %q, so %s can't be in one of them: remove all but one",
		w.place.shown, w.r.Mask(name), w.r.Step)
}

func (w *work) makeNetwork(ctx context.Context, name string) error {
	return w.call(ctx, func(ctx context.Context) error {
		_, err := w.docker.NetworkCreate(ctx, name, client.NetworkCreateOptions{Driver: "bridge", Labels: container.Owner(w.r)})
		if err == nil {
			replicas.Say(w.r, "network %s is made", name)
		}
		return err
	})
}

// settleNetwork removes those of ours that nobody is in, but for the oldest, by which all runners agree; one that somebody is in already
// comes before that: it was the only one when he came.
func (w *work) settleNetwork(ctx context.Context, there []network.Summary) error {
	empty := map[string]int{}
	for _, n := range there {
		used, err := w.used(ctx, "network", n.ID)
		if err != nil {
			return err
		}
		if !used {
			empty[n.ID] = 1
		}
	}
	slices.SortFunc(there, func(a, b network.Summary) int {
		return cmp.Or(cmp.Compare(empty[a.ID], empty[b.ID]), a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	for _, n := range there[1:] {
		if n.Labels[container.LabelEnvironment] == "" {
			continue
		}
		if err := w.removeNetwork(ctx, n.ID); err != nil {
			return err
		}
	}
	return replicas.Pause(ctx, poll)
}

// inNetworks tells whether the block names networks that runners make and take away.
func (w *work) inNetworks() bool {
	return slices.ContainsFunc(w.block.Networks, func(name string) bool { return !predefined(name) })
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
