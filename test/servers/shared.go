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

	"go.uber.org/goleak"
)

const sharedPrefix = "vivarium-rabbitmq-"

var shared struct {
	once   sync.Once
	broker *RabbitMQ
	dir    string
	err    error
}

// SharedRabbitMQ is the one broker of this test process, started (and, by root on Debian, installed) when it is first
// asked for. A package that uses it has TestMain call Main, which stops it. A test that stops the broker starts it again.
func SharedRabbitMQ(t testing.TB) *RabbitMQ {
	t.Helper()
	shared.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		if shared.err = InstallRabbitMQ(ctx, os.Stderr); shared.err != nil {
			return
		}
		removeStale()
		if shared.dir, shared.err = os.MkdirTemp("", sharedPrefix+strconv.Itoa(os.Getpid())+"-"); shared.err != nil {
			return
		}
		if shared.broker, shared.err = StartRabbitMQ(ctx, shared.dir); shared.err == nil {
			fmt.Fprintln(os.Stderr, "RabbitMQ", shared.broker.Version(), "on", shared.broker.Address())
		}
	})
	if shared.err != nil {
		t.Fatalf("no RabbitMQ: %v", shared.err)
	}
	return shared.broker
}

// Main is the body of a TestMain: it runs the tests, stops the shared broker, fails when goroutines are left, and exits.
func Main(m *testing.M, options ...goleak.Option) {
	code := m.Run()
	stopShared()
	if code == 0 {
		if err := goleak.Find(options...); err != nil {
			fmt.Fprintf(os.Stderr, "goroutines are left after the tests: %v\n", err)
			code = 1
		}
	}
	os.Exit(code)
}

func stopShared() {
	if shared.broker != nil {
		// The data goes with it, so there is nothing to be orderly for.
		_ = shared.broker.Kill()
	}
	if shared.dir != "" {
		_ = os.RemoveAll(shared.dir)
	}
}

// removeStale removes the folders of test processes that did not live to do it themselves.
func removeStale() {
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), sharedPrefix+"*"))
	for _, dir := range dirs {
		pid, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), sharedPrefix), "-")
		if n, err := strconv.Atoi(pid); err == nil && syscall.Kill(n, 0) == syscall.ESRCH {
			_ = os.RemoveAll(dir)
		}
	}
}
