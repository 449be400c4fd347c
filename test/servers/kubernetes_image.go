package servers

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
)

// The first process of a pod's sandbox, and the name of its image.
const (
	pauseProgram = "github.com/vivarium-env/vivarium/test/servers/kubernetes/pause"
	pauseImage   = "k8s.local/pause:1"
)

// LoadImage gives the node an image of the name ("k8s.local/sample:1") with nothing in it but a static program, which is its
// entrypoint: that of a main package of this module, such as SampleApp.
func (k *Kubernetes) LoadImage(ctx context.Context, name, pkg string) error {
	layer, err := imageOf(ctx, pkg)
	if err != nil {
		return err
	}
	image, err := dockerArchive(name, layer, []string{"/app"}, []string{"PATH=/"})
	if err != nil {
		return err
	}
	return k.LoadArchive(ctx, name, bytes.NewReader(image))
}

// LoadFileSystem gives the node an image of a file system as a tar, with variables NAME=VALUE.
func (k *Kubernetes) LoadFileSystem(ctx context.Context, name string, layer []byte, env ...string) error {
	image, err := dockerArchive(name, layer, nil, env)
	if err != nil {
		return err
	}
	return k.LoadArchive(ctx, name, bytes.NewReader(image))
}

// LoadArchive gives the node an image in the form that "docker save" writes; name is for people.
func (k *Kubernetes) LoadArchive(ctx context.Context, name string, archive io.Reader) error {
	file := filepath.Join(k.dir, "images", digestOf([]byte(name))+".tar")
	f, err := os.OpenFile(file, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file) }()
	if _, err := io.Copy(f, archive); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.Close(); err != nil {
		return err
	}
	if out, err := k.room.command(ctx, "ctr", "-a", k.containerd("sock"), "-n", "k8s.io", "images", "import", file).CombinedOutput(); err != nil {
		return fmt.Errorf("importing the image %s: %w\n%s", name, err, out)
	}
	return nil
}

// dockerArchive is an image of one layer in the form that "docker save" writes.
func dockerArchive(name string, layer []byte, entrypoint, env []string) ([]byte, error) {
	layerDigest := digestOf(layer)
	type object = map[string]any
	config, err := json.Marshal(object{
		"architecture": runtime.GOARCH, "os": "linux", "config": object{"Entrypoint": entrypoint, "Env": env},
		"rootfs": object{"type": "layers", "diff_ids": []string{"sha256:" + layerDigest}}, "history": []object{{"created_by": "vivarium"}},
	})
	if err != nil {
		return nil, err
	}
	configName, layerName := digestOf(config)+".json", layerDigest+"/layer.tar"
	manifest, err := json.Marshal([]object{{"Config": configName, "RepoTags": []string{name}, "Layers": []string{layerName}}})
	if err != nil {
		return nil, err
	}
	return tarOf(tarFile{configName, config}, tarFile{layerName, layer}, tarFile{"manifest.json", manifest})
}

func tarOf(files ...tarFile) ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, f := range files {
		if err := w.WriteHeader(&tar.Header{Name: f.name, Mode: 0o644, Size: int64(len(f.data))}); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.data); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), w.Close()
}

type tarFile struct {
	name string
	data []byte
}

func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
