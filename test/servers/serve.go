package servers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// server is one process with a folder of its own, which can be ended and started again. Its methods may be called from several
// goroutines, one at a time takes effect.
type server struct {
	name  string // as errors call it
	dir   string
	where func() string // it is asked
	// command makes its process, without folder and console; environment is that of the process.
	command     func() *exec.Cmd
	environment func() []string
	// answers is nil once the server does what it is for.
	answers func(context.Context) error
	// before and after are called before its process is started, and when it was ended; nil does nothing.
	before, after func() error

	mu    sync.Mutex
	child *child
}

// Start starts a server that was stopped or killed, on the same ports and data, and returns when it answers.
func (s *server) Start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.child.running() {
		return nil
	}
	err := call(s.before)
	if err != nil {
		return err
	}
	if s.child, err = startOnConsole(s.command(), s.dir, s.environment(), s.console()); err != nil {
		return err
	}
	return s.ready(ctx)
}

func call(f func() error) error {
	if f == nil {
		return nil
	}
	return f()
}

func (s *server) ready(ctx context.Context) error {
	return s.child.ready(ctx, s.name, s.where(), s.answers)
}

// Stop ends the server in an orderly way, or by force when ctx ends first.
func (s *server) Stop(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(s.child.stop(ctx), call(s.after))
}

// Kill ends the server as a crash would (SIGKILL).
func (s *server) Kill() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(s.child.kill(), call(s.after))
}

// Restart is Stop and Start.
func (s *server) Restart(ctx context.Context) error {
	if err := s.Stop(ctx); err != nil {
		return err
	}
	return s.Start(ctx)
}

// Pause freezes the server (SIGSTOP): its connections stay open and nothing answers.
func (s *server) Pause() error { return s.signal(syscall.SIGSTOP) }

// Resume ends Pause.
func (s *server) Resume() error { return s.signal(syscall.SIGCONT) }

func (s *server) signal(sig os.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.child.signal(s.name, sig)
}

func (s *server) console() string { return filepath.Join(s.dir, "console.log") }

// startOnConsole starts cmd in a folder; what it prints goes to the end of a file.
func startOnConsole(cmd *exec.Cmd, dir string, environment []string, path string) (*child, error) {
	console, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = console.Close() }()
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, environment, console, console
	c, err := startChild(cmd)
	if err == nil {
		c.console = path
	}
	return c, err
}

// ready waits until a process that was started on a console answers.
func (c *child) ready(ctx context.Context, name, where string, answers func(context.Context) error) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := answers(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-c.done:
			return fmt.Errorf("%s ended while it started (%w); it said:\n%s", name, c.err, lastWords(c.console))
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer on %s (%w): %w; it said:\n%s", name, where, err, ctx.Err(), lastWords(c.console))
		}
	}
}

func (c *child) signal(name string, s os.Signal) error {
	if !c.running() {
		return errors.New(name + " is not running")
	}
	return c.cmd.Process.Signal(s)
}
