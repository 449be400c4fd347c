package servers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/moby/moby/client"
)

// Docker is a private Docker Engine with a bridge and addresses of its own; it needs root. It runs in a process and mount
// namespace of its own, so that its containers end with it however it ends. It has no registry: see Image. Its methods may be
// called from several goroutines, one at a time takes effect.
type Docker struct {
	dir     string
	net     dockerNet
	version string

	mu     sync.Mutex
	daemon *child // unshare, whose only child is the daemon
}

// socketBytes bounds the folder: the kernel takes 107 bytes for the path of a socket, of which containerd's names need some.
const socketBytes = 70

// StartDocker starts an engine with its data in dir, an absolute path of at most 70 bytes, and returns when it answers. It
// does not install anything: see InstallDocker.
func StartDocker(ctx context.Context, dir string) (*Docker, error) {
	if err := findDocker(); err != nil {
		return nil, err
	}
	if len(dir) > socketBytes || !filepath.IsAbs(dir) {
		return nil, fmt.Errorf("the folder %s is no place for Docker's sockets: it has to be absolute and at most %d bytes long", dir, socketBytes)
	}
	net, err := claimDockerNet(ctx)
	if err != nil {
		return nil, err
	}
	d := &Docker{dir: dir, net: net}
	if err := d.Start(ctx); err != nil {
		return nil, errors.Join(err, d.Discard())
	}
	return d, nil
}

// Host is what DOCKER_HOST and clients take.
func (d *Docker) Host() string { return "unix://" + d.Address() }

// Address is the path of the socket.
func (d *Docker) Address() string { return filepath.Join(d.dir, "docker.sock") }

// Version is what the engine says it is, such as 20.10.24.
func (d *Docker) Version() string { return d.version }

// Start starts an engine that was stopped or killed, on the same data, and returns when it answers. Containers that are to be
// restarted always are.
func (d *Docker) Start(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.daemon.running() {
		return nil
	}
	if err := d.net.up(ctx); err != nil {
		return err
	}
	// What a killed one left: dead sockets, and the number of a process in a namespace that is gone.
	for _, name := range []string{"docker.pid", "docker.sock", "run"} {
		if err := os.RemoveAll(filepath.Join(d.dir, name)); err != nil {
			return err
		}
	}
	// The engine would read the machine's own configuration otherwise.
	if err := os.WriteFile(filepath.Join(d.dir, "daemon.json"), []byte("{}\n"), 0o600); err != nil {
		return err
	}
	cmd := exec.Command("unshare", append([]string{"--pid", "--fork", "--mount", "--mount-proc", "--kill-child=SIGKILL", "dockerd"}, d.flags()...)...)
	var err error
	if d.daemon, err = startOnConsole(cmd, d.dir, d.environment(), d.console()); err != nil {
		return err
	}
	return d.ready(ctx)
}

// flags leave the machine's own packet filter alone: several engines would take each other's rules away. Containers are
// reached by their addresses, and published ports through Docker's proxy.
func (d *Docker) flags() []string {
	in := func(name string) string { return filepath.Join(d.dir, name) }
	return []string{
		"--data-root", in("data"), "--exec-root", in("run"), "--pidfile", in("docker.pid"), "--config-file", in("daemon.json"),
		"-H", d.Host(), "--bridge", d.net.bridge, "--default-address-pool", "base=" + d.net.pool() + ",size=24",
		"--iptables=false", "--ip-masq=false", "--log-level", "warn",
	}
}

func (d *Docker) ready(ctx context.Context) error {
	c, err := d.Client()
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	return d.daemon.ready(ctx, "Docker", d.Address(), func(ctx context.Context) error {
		version, err := c.ServerVersion(ctx, client.ServerVersionOptions{})
		d.version, _, _ = strings.Cut(version.Version, "+")
		return err
	})
}

// Client is a client of the engine; its user closes it.
func (d *Docker) Client() (*client.Client, error) { return client.New(client.WithHost(d.Host())) }

// Stop ends the engine and its containers in an orderly way, or by force when ctx ends first.
func (d *Docker) Stop(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.daemon.running() {
		return nil
	}
	if pid, err := d.daemonPID(); err == nil {
		_ = syscall.Kill(pid, syscall.SIGCONT)
		_ = syscall.Kill(pid, syscall.SIGTERM)
	}
	select {
	case <-d.daemon.done:
		return nil
	case <-ctx.Done():
		return errors.Join(ctx.Err(), d.daemon.kill())
	}
}

// daemonPID is that of unshare's only child.
func (d *Docker) daemonPID() (int, error) {
	pid := d.daemon.cmd.Process.Pid
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}

// Kill ends the engine and its containers as the crash of a machine would (SIGKILL).
func (d *Docker) Kill() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.daemon.kill()
}

// Restart is Stop and Start.
func (d *Docker) Restart(ctx context.Context) error {
	if err := d.Stop(ctx); err != nil {
		return err
	}
	return d.Start(ctx)
}

// Discard kills the engine and removes its bridges; it can't be started again.
func (d *Docker) Discard() error {
	err := d.Kill()
	return errors.Join(err, d.net.release())
}

// Pause freezes the engine, not its containers: its connections stay open and nothing answers.
func (d *Docker) Pause() error { return d.signal(syscall.SIGSTOP) }

// Resume ends Pause.
func (d *Docker) Resume() error { return d.signal(syscall.SIGCONT) }

func (d *Docker) signal(s syscall.Signal) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.daemon.running() {
		return errors.New("Docker is not running")
	}
	pid, err := d.daemonPID()
	if err != nil {
		return err
	}
	return syscall.Kill(pid, s)
}

// environment is that of the process without what would lead the engine to somebody else's.
func (d *Docker) environment() []string {
	var env []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "DOCKER_") && !strings.HasPrefix(kv, "NOTIFY_SOCKET=") {
			env = append(env, kv)
		}
	}
	return env
}

func (d *Docker) console() string { return filepath.Join(d.dir, "console.log") }
