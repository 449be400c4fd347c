package docker

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"

	cerrdefs "github.com/containerd/errdefs"
	dcontainer "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/client"

	"github.com/vivarium-env/vivarium/pkg/executor/container"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// alike is a container of somebody else's as if it had been made here: with the labels of its mark, and with what Docker lets
// one say in several ways, or leave out, said in ours. image is its own, nil when that is gone.
func (f found) alike(m mark, image *image.InspectResponse) found {
	config, host := *f.Config, *f.HostConfig
	config.Labels = maps.Clone(config.Labels)
	if config.Labels == nil {
		config.Labels = map[string]string{}
	}
	maps.Copy(config.Labels, m)
	config.Image = m[labelImage]
	if config.StopTimeout == nil {
		config.StopTimeout = new(dockerStop)
	}
	if config.Healthcheck == nil {
		config.Healthcheck = &dcontainer.HealthConfig{Test: []string{"NONE"}}
	}
	if host.RestartPolicy.Name == "" {
		host.RestartPolicy.Name = container.RestartNo
	}
	host.Mounts = mounted(f.Mounts, image)
	f.Config, f.HostConfig, f.adopted = &config, &host, true
	return f
}

// dockerStop is how long Docker lets a container end by itself, in seconds, when nothing is said.
const dockerStop = 10

// mounted are the volumes, in whatever way they were asked for, less those without a name that the image asks for.
func mounted(points []dcontainer.MountPoint, image *image.InspectResponse) (mounts []mount.Mount) {
	for _, p := range points {
		m := mount.Mount{Type: p.Type, Source: string(p.Type), Target: p.Destination, ReadOnly: !p.RW}
		switch p.Type {
		case mount.TypeBind:
			m.Source = p.Source
		case mount.TypeVolume:
			if m.Source = p.Name; nameless(p.Name) && declared(image, p.Destination) {
				continue
			}
		}
		mounts = append(mounts, m)
	}
	return mounts
}

// nameless tells whether Docker has made up the name of a volume.
func nameless(name string) bool {
	return len(name) == 64 && strings.Trim(name, "0123456789abcdef") == ""
}

func declared(image *image.InspectResponse, path string) bool {
	if image == nil || image.Config == nil {
		return false
	}
	_, is := image.Config.Volumes[path]
	return is
}

// unchecked leaves out that Docker does not check a container, where somebody else's was made without saying so.
func unchecked(f found, flat map[string]string) {
	if f.adopted && flat["health"] == notByDocker {
		delete(flat, "health")
	}
}

// hashesIn are the hashes of the block's files as the container has them.
func (w *work) hashesIn(ctx context.Context, f found) (map[string]string, error) {
	hashes := map[string]string{}
	for _, path := range slices.Sorted(maps.Keys(w.block.Files)) {
		content, there, err := w.readFile(ctx, f.ID, path, len(w.block.Files[path]))
		if err != nil {
			return nil, err
		}
		if !there {
			continue
		}
		sum, err := container.Fingerprint(w.box(), w.r, "file", path, content)
		if err != nil {
			return nil, err
		}
		hashes[path] = sum[:fileHash]
	}
	return hashes, nil
}

// readFile reads a byte more than is wanted of it at the most, which is enough to see that it is another one.
func (w *work) readFile(ctx context.Context, id, path string, wanted int) (content string, there bool, err error) {
	err = w.call(ctx, func(ctx context.Context) error {
		got, err := w.docker.CopyFromContainer(ctx, id, client.CopyFromContainerOptions{SourcePath: path})
		if cerrdefs.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		defer func() { _ = got.Content.Close() }()
		archive := tar.NewReader(got.Content)
		header, err := archive.Next()
		if errors.Is(err, io.EOF) || err == nil && header.Typeflag != tar.TypeReg {
			return nil
		}
		var text []byte
		if err == nil {
			text, err = io.ReadAll(io.LimitReader(archive, int64(wanted)+1))
		}
		if err != nil {
			return fault.Wrap(err, fault.Retry, fault.ExecutorFailed, "the file %q of %s can't be read in its container", w.r.Mask(path), w.r.Step)
		}
		content, there = string(text), true
		return nil
	})
	return content, there, err
}
