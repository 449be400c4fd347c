package servers

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/moby/moby/client"
)

// SampleApp is the program that tests run in containers; see its documentation.
const SampleApp = "github.com/vivarium-env/vivarium/test/servers/app"

// Image gives the engine an image of the name ("sample:1") with nothing in it but a static program, which is its
// entrypoint: that of a main package of this module, such as SampleApp.
func (d *Docker) Image(ctx context.Context, name, pkg string) error {
	archive, err := imageOf(ctx, pkg)
	if err != nil {
		return err
	}
	return d.Import(ctx, name, bytes.NewReader(archive), `ENTRYPOINT ["/app"]`, "ENV PATH=/")
}

// Import gives the engine an image of the name with a file system, changed as instructions of a Dockerfile say.
func (d *Docker) Import(ctx context.Context, name string, archive io.Reader, changes ...string) error {
	c, err := d.Client()
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	result, err := c.ImageImport(ctx, client.ImageImportSource{Source: archive, SourceName: "-"}, name, client.ImageImportOptions{Changes: changes})
	if err != nil {
		return fmt.Errorf("importing %s into Docker: %w", name, err)
	}
	defer func() { _ = result.Close() }()
	for answers := json.NewDecoder(result); ; {
		var answer struct{ Error string }
		switch err := answers.Decode(&answer); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil || answer.Error != "":
			return fmt.Errorf("importing %s into Docker: %v%s", name, err, answer.Error)
		}
	}
}

// imageOf is the file system of an image: the program at /app, and an empty /tmp.
func imageOf(ctx context.Context, pkg string) ([]byte, error) {
	dir, err := os.MkdirTemp("", "vivarium-image-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	program := filepath.Join(dir, "app")
	if err := buildStatic(ctx, pkg, program); err != nil {
		return nil, err
	}
	return FileSystem(program, "app")
}

// FileSystem is the archive of one with nothing in it but a program, at a path without a slash before it, and an empty /tmp.
func FileSystem(program, at string) ([]byte, error) {
	text, err := os.ReadFile(program)
	if err != nil {
		return nil, err
	}
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	err = errors.Join(
		w.WriteHeader(&tar.Header{Name: "tmp/", Typeflag: tar.TypeDir, Mode: 0o1777}),
		w.WriteHeader(&tar.Header{Name: at, Typeflag: tar.TypeReg, Mode: 0o755, Size: int64(len(text))}))
	if err == nil {
		_, err = w.Write(text)
	}
	return archive.Bytes(), errors.Join(err, w.Close())
}

// buildStatic builds a main package of this module into a program that needs nothing beside it.
func buildStatic(ctx context.Context, pkg, to string) error {
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", to, pkg)
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOOS=linux")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w\n%s", pkg, err, out)
	}
	return nil
}
