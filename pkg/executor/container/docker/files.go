package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"maps"
	"path"
	"slices"
	"strings"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/moby/moby/client"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// copyFiles puts the files into a container that has not been started. They can be read by all in it, since the user that its
// process will have may be one that only the image knows.
func (w *work) copyFiles(ctx context.Context, id string) error {
	if len(w.block.Files) == 0 {
		return nil
	}
	folders, err := w.missingFolders(ctx, id)
	if err != nil {
		return err
	}
	archive, err := pack(folders, w.block.Files)
	if err != nil {
		return fault.Wrap(err, fault.GiveUp, fault.Internal, "the files of %s can't be packed", w.r.Step)
	}
	return w.call(ctx, func(ctx context.Context) error {
		_, err := w.docker.CopyToContainer(ctx, id, client.CopyToContainerOptions{DestinationPath: "/", Content: bytes.NewReader(archive)})
		return err
	})
}

// missingFolders are those that have to be made, the outer first: Docker would make them for root alone, and would give those
// that are there other permissions.
func (w *work) missingFolders(ctx context.Context, id string) (missing []string, err error) {
	known := map[string]bool{"/": true}
	for _, file := range slices.Sorted(maps.Keys(w.block.Files)) {
		var up []string
		for folder := path.Dir(path.Clean(file)); !known[folder]; folder = path.Dir(folder) {
			known[folder] = true
			up = append(up, folder)
		}
		slices.Reverse(up)
		for _, folder := range up {
			there, err := w.inContainer(ctx, id, folder)
			if err != nil {
				return nil, err
			}
			if !there {
				missing = append(missing, folder)
			}
		}
	}
	return missing, nil
}

func (w *work) inContainer(ctx context.Context, id, at string) (there bool, err error) {
	err = w.call(ctx, func(ctx context.Context) error {
		_, err := w.docker.ContainerStatPath(ctx, id, client.ContainerStatPathOptions{Path: at})
		there = err == nil
		if cerrdefs.IsNotFound(err) {
			return nil
		}
		return err
	})
	return there, err
}

func pack(folders []string, files map[string]string) ([]byte, error) {
	var archive bytes.Buffer
	t := tar.NewWriter(&archive)
	for _, folder := range folders {
		if err := t.WriteHeader(&tar.Header{Name: strings.TrimPrefix(folder, "/") + "/", Typeflag: tar.TypeDir, Mode: 0o755}); err != nil {
			return nil, err
		}
	}
	for _, file := range slices.Sorted(maps.Keys(files)) {
		header := &tar.Header{Name: strings.TrimPrefix(path.Clean(file), "/"), Typeflag: tar.TypeReg, Mode: 0o444, Size: int64(len(files[file]))}
		err := t.WriteHeader(header)
		if err == nil {
			_, err = t.Write([]byte(files[file]))
		}
		if err != nil {
			return nil, err
		}
	}
	err := t.Close()
	return archive.Bytes(), err
}
