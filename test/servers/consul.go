package servers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
)

// Consul is a private Consul server. Its methods may be called from several goroutines, one at a time takes effect.
type Consul struct {
	dir     string
	program string
	options ConsulOptions
	ports   consulPorts
	version string

	mu    sync.Mutex
	agent *child
}

// ConsulOptions choose what StartConsul would otherwise choose itself.
type ConsulOptions struct {
	// Datacenter is dc1 unless given.
	Datacenter string
	// ManagementToken, a UUID, switches access control on: whoever has no token may do nothing, and this one all.
	ManagementToken string
	// Uninitialised switches access control on without anybody having a token yet: who begins it gets all.
	Uninitialised bool
	// Expect is how many servers have to meet before they elect a leader; 0 is one. A lone server that expects more
	// answers, but has no leader.
	Expect int
	// Listen are addresses of this machine that clients are served on besides 127.0.0.1, such as that of a bridge on which
	// containers are.
	Listen []string
}

type consulPorts struct{ http, server, lan, wan int }

// StartConsul starts a server with its data in dir and returns when it has elected itself the leader and answers. The
// program is ConsulBinary's, which may take minutes to build the first time.
func StartConsul(ctx context.Context, dir string, o ...ConsulOptions) (*Consul, error) {
	program, err := ConsulBinary(ctx, os.Stderr)
	if err != nil {
		return nil, err
	}
	ports, err := freePorts(4)
	if err != nil {
		return nil, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	c := &Consul{dir: dir, program: program, ports: consulPorts{ports[0], ports[1], ports[2], ports[3]}}
	if len(o) > 0 {
		c.options = o[0]
	}
	if err := c.prepare(); err != nil {
		return nil, fmt.Errorf("preparing %s for Consul: %w", dir, err)
	}
	if err := c.Start(ctx); err != nil {
		return nil, errors.Join(err, c.Kill())
	}
	return c, nil
}

// Address is the host and port that clients take.
func (c *Consul) Address() string { return "127.0.0.1:" + strconv.Itoa(c.ports.http) }

// Version is what the server says it is, such as 1.22.0.
func (c *Consul) Version() string { return c.version }

// Start starts a server that was stopped or killed, on the same ports and data, and returns when it answers.
func (c *Consul) Start(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.agent.running() {
		return nil
	}
	console, err := os.OpenFile(c.console(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = console.Close() }()
	cmd := exec.Command(c.program, "agent", "-config-file", filepath.Join(c.dir, "consul.json"))
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = c.dir, environmentWithout(filepath.Join(c.dir, "home"), "CONSUL_"), console, console
	if c.agent, err = startChild(cmd); err != nil {
		return err
	}
	return c.ready(ctx)
}

// Stop ends the server in an orderly way, or by force when ctx ends first.
func (c *Consul) Stop(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.agent.stop(ctx)
}

// Kill ends the server as a crash would (SIGKILL).
func (c *Consul) Kill() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.agent.kill()
}

// Restart is Stop and Start.
func (c *Consul) Restart(ctx context.Context) error {
	if err := c.Stop(ctx); err != nil {
		return err
	}
	return c.Start(ctx)
}

// Pause freezes the server (SIGSTOP): its connections stay open and nothing answers.
func (c *Consul) Pause() error { return c.signal(syscall.SIGSTOP) }

// Resume ends Pause.
func (c *Consul) Resume() error { return c.signal(syscall.SIGCONT) }

func (c *Consul) signal(s os.Signal) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.agent.running() {
		return errors.New("Consul is not running")
	}
	return c.agent.cmd.Process.Signal(s)
}
