package servers

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const sharedVaultPrefix = "vivarium-vault-"

var sharedVault struct {
	once   sync.Once
	server *Vault
	dir    string
	err    error
}

// SharedVault is the one Vault of this test process, started (and built, where it never was) when it is first asked for,
// with a KV version 2 engine at "secret". A package that uses it has its TestMain call StopSharedVault when the tests are
// over. A test that seals or stops it puts that right itself.
func SharedVault(t testing.TB) *Vault {
	t.Helper()
	sharedVault.once.Do(func() { sharedVault.err = startSharedVault() })
	if sharedVault.err != nil {
		t.Fatalf("no Vault: %v", sharedVault.err)
	}
	return sharedVault.server
}

func startSharedVault() (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 25*time.Minute)
	defer cancel()
	removeStaleVaults()
	s := &sharedVault
	if s.dir, err = os.MkdirTemp("", sharedVaultPrefix+strconv.Itoa(os.Getpid())+"-"); err != nil {
		return err
	}
	if s.server, err = StartVault(ctx, s.dir); err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "Vault", s.server.Version(), "on", s.server.Address())
	return s.server.Enable(ctx, "mounts", "kv", "secret")
}

// StopSharedVault ends the Vault of SharedVault and removes its data; it does no harm when there is none.
func StopSharedVault() {
	if sharedVault.server != nil {
		// The data goes with it, so there is nothing to be orderly for.
		_ = sharedVault.server.Kill()
	}
	if sharedVault.dir != "" {
		_ = os.RemoveAll(sharedVault.dir)
	}
}

// removeStaleVaults removes the folders of test processes that did not live to do it themselves.
func removeStaleVaults() {
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), sharedVaultPrefix+"*"))
	for _, dir := range dirs {
		pid, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), sharedVaultPrefix), "-")
		if n, err := strconv.Atoi(pid); err == nil && syscall.Kill(n, 0) == syscall.ESRCH {
			_ = os.RemoveAll(dir)
		}
	}
}
