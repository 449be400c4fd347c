package servers

import (
	"context"
	"io"
	"os/exec"
	"path/filepath"
)

// ConsulBinary returns the path of a Consul: the one on PATH as it is, or else the pinned one, which is built when this
// machine has not built that version yet (5 to 8 minutes with a cold cache, at low priority, said to progress). It has to
// be called from within the checkout. Two processes that call it at once build once.
func ConsulBinary(ctx context.Context, progress io.Writer) (string, error) {
	if path, err := exec.LookPath("consul"); err == nil {
		return filepath.Abs(path)
	}
	return pinnedConsul().get(ctx, progress)
}

func pinnedConsul() *pinnedProgram {
	return &pinnedProgram{
		title: "Consul", folder: "consul", name: "consul", takes: "5 to 8 minutes",
		requires: "github.com/hashicorp/consul", main: "github.com/hashicorp/consul",
	}
}
