package docker

import (
	"context"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/volume"
	"github.com/moby/moby/client"

	"github.com/vivarium-env/vivarium/pkg/executor/container"
	"github.com/vivarium-env/vivarium/pkg/executor/container/internal/replicas"
)

// labelKeep is on volumes that stay when their step is destroyed.
const labelKeep = container.LabelPrefix + "keep"

// ensureVolumes makes those that are missing, with labels: Docker itself would make them without. One that is there is used,
// whoever made it.
func (w *work) ensureVolumes(ctx context.Context) error {
	for _, v := range w.block.Volumes {
		if v.Name == "" {
			continue
		}
		labels := container.Owner(w.r)
		if v.Keep {
			labels[labelKeep] = "true"
		}
		if err := w.call(ctx, func(ctx context.Context) error {
			_, err := w.docker.VolumeCreate(ctx, client.VolumeCreateOptions{Name: v.Name, Labels: labels})
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

// ownVolumes are those that the step made, less those that are kept; a volume that a block no longer names stays until its step
// is destroyed.
func (w *work) ownVolumes(ctx context.Context) (own []volume.Volume, err error) {
	return w.volumes(ctx, client.Filters{}.Add("label", container.LabelEnvironment+"="+w.r.Environment, container.LabelStep+"="+w.r.Step))
}

func (w *work) volumes(ctx context.Context, filter client.Filters) (own []volume.Volume, err error) {
	err = w.call(ctx, func(ctx context.Context) error {
		got, err := w.docker.VolumeList(ctx, client.VolumeListOptions{Filters: filter})
		for _, v := range got.Items {
			if !w.keeps(v) && v.Labels[labelAdopted] == "" {
				own = append(own, v)
			}
		}
		return err
	})
	return own, err
}

// keeps goes by the block where it names the volume, since labels of volumes can't be changed.
func (w *work) keeps(v volume.Volume) bool {
	for _, asked := range w.block.Volumes {
		if asked.Name == v.Name {
			return asked.Keep
		}
	}
	return v.Labels[labelKeep] != ""
}

// removeVolumes removes what the step made, and what another step of the environment made and left to whoever uses it last.
func (w *work) removeVolumes(ctx context.Context) error {
	candidates, err := w.ownVolumes(ctx)
	if err != nil {
		return err
	}
	for _, v := range w.block.Volumes {
		if v.Name == "" {
			continue
		}
		of, err := w.volumes(ctx, client.Filters{}.Add("name", v.Name).Add("label", container.LabelEnvironment+"="+w.r.Environment))
		if err != nil {
			return err
		}
		for _, other := range of {
			if other.Name == v.Name {
				candidates = append(candidates, other)
			}
		}
	}
	for _, v := range candidates {
		if err := w.removeVolume(ctx, v.Name); err != nil {
			return err
		}
	}
	return nil
}

func (w *work) removeVolume(ctx context.Context, name string) error {
	used, err := w.used(ctx, "volume", name)
	if err != nil {
		return err
	}
	if used {
		replicas.Say(w.r, "volume %s is left to the containers that still use it", name)
		return nil
	}
	return w.call(ctx, func(ctx context.Context) error {
		_, err := w.docker.VolumeRemove(ctx, name, client.VolumeRemoveOptions{})
		if cerrdefs.IsNotFound(err) {
			return nil
		}
		return err
	})
}
