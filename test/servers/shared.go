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

// shareable is what a server has that the tests of a process share.
type shareable interface {
	Kill() error
	Version() string
	Address() string
}

// sharedServer is the one server of its kind in this test process, with a folder of its own, started when it is first
// asked for.
type sharedServer[S shareable] struct {
	title    string // for people
	prefix   string // of the folder's name
	patience time.Duration
	start    func(ctx context.Context, dir string) (S, error)

	once   sync.Once
	server S
	up     bool
	dir    string
	err    error
}

func (s *sharedServer[S]) get(t testing.TB) S {
	t.Helper()
	s.once.Do(func() { s.err = s.begin() })
	if s.err != nil {
		t.Fatalf("no %s: %v", s.title, s.err)
	}
	return s.server
}

func (s *sharedServer[S]) begin() (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), s.patience)
	defer cancel()
	s.removeStale()
	if s.dir, err = os.MkdirTemp("", s.prefix+strconv.Itoa(os.Getpid())+"-"); err != nil {
		return err
	}
	if s.server, err = s.start(ctx, s.dir); err != nil {
		return err
	}
	s.up = true
	fmt.Fprintln(os.Stderr, s.title, s.server.Version(), "on", s.server.Address())
	return nil
}

// stop ends the server and removes its data; it does no harm when there is none. Whoever asks for it afterwards gets another.
func (s *sharedServer[S]) stop() {
	if s.up {
		// The data goes with it, so there is nothing to be orderly for.
		_ = s.server.Kill()
	}
	if s.dir != "" {
		_ = os.RemoveAll(s.dir)
	}
	s.once, s.up, s.dir = sync.Once{}, false, ""
}

// removeStale removes the folders of test processes that did not live to do it themselves.
func (s *sharedServer[S]) removeStale() {
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), s.prefix+"*"))
	for _, dir := range dirs {
		pid, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), s.prefix), "-")
		if n, err := strconv.Atoi(pid); err == nil && syscall.Kill(n, 0) == syscall.ESRCH {
			_ = os.RemoveAll(dir)
		}
	}
}

var sharedRabbitMQ = sharedServer[*RabbitMQ]{title: "RabbitMQ", prefix: "vivarium-rabbitmq-", patience: 5 * time.Minute,
	start: func(ctx context.Context, dir string) (*RabbitMQ, error) {
		if err := InstallRabbitMQ(ctx, os.Stderr); err != nil {
			return nil, err
		}
		return StartRabbitMQ(ctx, dir)
	}}

// SharedRabbitMQ is the one broker of this test process, started (and, by root on Debian, installed) when it is first
// asked for. A package that uses it has TestMain call Main, which stops it. A test that stops the broker starts it again.
func SharedRabbitMQ(t testing.TB) *RabbitMQ {
	t.Helper()
	return sharedRabbitMQ.get(t)
}

// Main is the body of a TestMain: it runs the tests, stops the shared servers, fails when goroutines are left, and exits.
func Main(m *testing.M, options ...goleak.Option) {
	code := m.Run()
	sharedRabbitMQ.stop()
	StopSharedDocker()
	StopSharedConsul()
	StopSharedVault()
	StopSharedKubernetes()
	if code == 0 {
		if err := goleak.Find(options...); err != nil {
			fmt.Fprintf(os.Stderr, "goroutines are left after the tests: %v\n", err)
			code = 1
		}
	}
	os.Exit(code)
}
