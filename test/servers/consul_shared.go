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

const sharedConsulPrefix = "vivarium-consul-"

var sharedConsul struct {
	once   sync.Once
	server *Consul
	dir    string
	err    error
}

// SharedConsul is the one Consul of this test process, started (and built, where it never was) when it is first asked for.
// A package that uses it has its TestMain call StopSharedConsul when the tests are over. A test that stops it starts it
// again.
func SharedConsul(t testing.TB) *Consul {
	t.Helper()
	sharedConsul.once.Do(func() { sharedConsul.err = startSharedConsul() })
	if sharedConsul.err != nil {
		t.Fatalf("no Consul: %v", sharedConsul.err)
	}
	return sharedConsul.server
}

func startSharedConsul() (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 25*time.Minute)
	defer cancel()
	removeStaleConsuls()
	s := &sharedConsul
	if s.dir, err = os.MkdirTemp("", sharedConsulPrefix+strconv.Itoa(os.Getpid())+"-"); err != nil {
		return err
	}
	if s.server, err = StartConsul(ctx, s.dir); err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "Consul", s.server.Version(), "on", s.server.Address())
	return nil
}

// StopSharedConsul ends the Consul of SharedConsul and removes its data; it does no harm when there is none.
func StopSharedConsul() {
	if sharedConsul.server != nil {
		// The data goes with it, so there is nothing to be orderly for.
		_ = sharedConsul.server.Kill()
	}
	if sharedConsul.dir != "" {
		_ = os.RemoveAll(sharedConsul.dir)
	}
}

// removeStaleConsuls removes the folders of test processes that did not live to do it themselves.
func removeStaleConsuls() {
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), sharedConsulPrefix+"*"))
	for _, dir := range dirs {
		pid, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), sharedConsulPrefix), "-")
		if n, err := strconv.Atoi(pid); err == nil && syscall.Kill(n, 0) == syscall.ESRCH {
			_ = os.RemoveAll(dir)
		}
	}
}
