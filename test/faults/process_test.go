package faults

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is a server or a runner that is started again and again under the same arguments. Its methods are for one
// goroutine at a time.
type process struct {
	name    string
	dir     string // of its data
	args    []string
	env     []string
	logfile string

	mu      sync.Mutex
	cmd     *exec.Cmd
	done    chan struct{}
	wanted  bool // to end
	strange []string
}

// start returns once the program runs, and does not wait until it is ready. The kernel ties the child's life to the
// thread that starts it, therefore one locked thread starts it and stays until it ends.
func (p *process) start() error {
	log, err := os.OpenFile(p.logfile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command(program, p.args...)
	cmd.Stdout, cmd.Stderr, cmd.Env = log, log, p.env
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	done, started := make(chan struct{}), make(chan error)
	p.mu.Lock()
	p.cmd, p.done, p.wanted = cmd, done, false
	p.mu.Unlock()
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		p.ended(cmd.Wait())
		close(done)
	}()
	return <-started
}

// ended notes an end that nobody asked for.
func (p *process) ended(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.wanted {
		p.strange = append(p.strange, fmt.Sprintf("%s ended by itself at %s: %v", p.name, stamp(time.Now()), err))
	}
}

func (p *process) want(s syscall.Signal) {
	p.mu.Lock()
	p.wanted = true
	p.mu.Unlock()
	_ = p.cmd.Process.Signal(s)
}

// kill ends it in the middle of whatever it does.
func (p *process) kill() {
	p.want(syscall.SIGKILL)
	<-p.done
}

// stop ends it as an operator would. An error is a bad exit, or none in time.
func (p *process) stop(ctx context.Context) error {
	if p.cmd == nil || p.cmd.Process == nil {
		return nil
	}
	select {
	case <-p.done:
		return nil
	default:
	}
	p.want(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-ctx.Done():
		p.kill()
		return fmt.Errorf("%s did not stop", p.name)
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("%s ended with exit code %d when it was asked to stop: %s", p.name, code, p.tail())
	}
	return nil
}

func (p *process) freeze() error { return p.cmd.Process.Signal(syscall.SIGSTOP) }
func (p *process) thaw() error   { return p.cmd.Process.Signal(syscall.SIGCONT) }

func (p *process) log() string {
	text, err := os.ReadFile(p.logfile)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// tail is the end of what it printed.
func (p *process) tail() string {
	text := p.log()
	const enough = 3000
	return text[max(0, len(text)-enough):]
}

// trouble is what a process must never do: end by itself, race, panic.
func (p *process) trouble() []string {
	p.mu.Lock()
	found := append([]string(nil), p.strange...)
	p.mu.Unlock()
	text := p.log()
	for _, mark := range []string{"DATA RACE", "panic:", "fatal error:"} {
		if at := strings.Index(text, mark); at >= 0 {
			found = append(found, fmt.Sprintf("%s: %s", p.name, text[at:min(len(text), at+3000)]))
		}
	}
	return found
}

// baseEnvironment is ours without what would change the program's settings.
func baseEnvironment(more ...string) []string {
	var env []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "VIVARIUM_") {
			env = append(env, kv)
		}
	}
	return append(env, more...)
}

func (c *cluster) process(name string, env []string, args ...string) *process {
	return &process{name: name, dir: filepath.Join(c.dir, name), logfile: filepath.Join(c.dir, name+".log"),
		args: append(args, "--data-dir", filepath.Join(c.dir, name)), env: env}
}

// pause waits, unless the context ends before.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// until asks every 50 ms; an error says that the context ended first.
func until(ctx context.Context, what string, ask func() bool) error {
	for !ask() {
		if ctx.Err() != nil {
			return fmt.Errorf("%s: %w", what, context.Cause(ctx))
		}
		pause(ctx, 50*time.Millisecond)
	}
	return nil
}
