package servers

import (
	"context"
	"io"
	"os/exec"
	"path/filepath"
)

// TraefikBinary returns the path of a Traefik: the one on PATH as it is, or else the pinned one, which is built when this
// machine has not built that version yet (8 to 12 minutes with a cold cache, at low priority, said to progress). It has to
// be called from within the checkout. Two processes that call it at once build once.
func TraefikBinary(ctx context.Context, progress io.Writer) (string, error) {
	if path, err := exec.LookPath("traefik"); err == nil {
		return filepath.Abs(path)
	}
	return pinnedTraefik().get(ctx, progress)
}

func pinnedTraefik() *pinnedProgram {
	p := &pinnedProgram{
		title: "Traefik", folder: "traefik", name: "traefik", takes: "8 to 12 minutes",
		requires: "github.com/traefik/traefik/v3", main: "github.com/traefik/traefik/v3/cmd/traefik",
	}
	if p.locate() == nil {
		// As released programs are: without it, it calls itself dev.
		p.link = "-X github.com/traefik/traefik/v3/pkg/version.Version=" + p.version
	}
	return p
}
