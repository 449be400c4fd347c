package servers

import (
	"context"
	"io"
	"os/exec"
	"path/filepath"
)

// VaultBinary returns the path of a Vault: the one on PATH as it is, or else the pinned one, which is built when this
// machine has not built that version yet (6 to 10 minutes with a cold cache, at low priority, said to progress). It has
// to be called from within the checkout. Two processes that call it at once build once.
func VaultBinary(ctx context.Context, progress io.Writer) (string, error) {
	if path, err := exec.LookPath("vault"); err == nil {
		return filepath.Abs(path)
	}
	return pinnedVault().get(ctx, progress)
}

// pinnedVault is the minimal build (kv, pki, approle, transit and the core) with the engine rabbitmq, which has all that tests use. A whole
// build takes half as long again, and twice the room.
func pinnedVault() *pinnedProgram {
	return &pinnedProgram{
		title: "Vault", folder: "vault", name: "vault", takes: "6 to 10 minutes",
		requires: "github.com/hashicorp/vault", main: ".", sources: []string{"main.go"},
		flags: []string{"-tags", "minimal"},
	}
}
