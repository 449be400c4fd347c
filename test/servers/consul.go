package servers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/vivarium-env/vivarium/test/ports"
)

// Consul is a private Consul server. Its methods may be called from several goroutines, one at a time takes effect.
type Consul struct {
	server
	program string
	options ConsulOptions
	ports   consulPorts
	version string
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
	// AdvertiseWAN is the address by which other datacentres reach it, such as that of a proxy; 127.0.0.1 unless given.
	AdvertiseWAN string
	// TLS has it listen with TLS, too, at TLSAddress.
	TLS *ConsulTLS
}

// ConsulTLS are files in PEM: what it shows, and whose certificate it wants of its clients.
type ConsulTLS struct{ Certificate, Key, ClientCA string }

type consulPorts struct{ http, https, server, lan, wan int }

// StartConsul starts a server with its data in dir and returns when it has elected itself the leader and answers. The
// program is ConsulBinary's, which may take minutes to build the first time.
func StartConsul(ctx context.Context, dir string, o ...ConsulOptions) (*Consul, error) {
	program, err := ConsulBinary(ctx, os.Stderr)
	if err != nil {
		return nil, err
	}
	free, err := ports.Free(5)
	if err != nil {
		return nil, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	c := &Consul{program: program, ports: consulPorts{free[0], free[4], free[1], free[2], free[3]}}
	c.server = server{name: "Consul", dir: dir, where: c.Address, command: c.command, environment: c.environment, answers: c.answers}
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

// TLSAddress is the URL that clients take who speak with TLS, where it has any.
func (c *Consul) TLSAddress() string { return "https://127.0.0.1:" + strconv.Itoa(c.ports.https) }

// WANPorts are those on 127.0.0.1 that other datacentres use: for calls, and for gossip over TCP and UDP.
func (c *Consul) WANPorts() (calls, gossip int) { return c.ports.server, c.ports.wan }

// Version is what the server says it is, such as 1.22.0.
func (c *Consul) Version() string { return c.version }

func (c *Consul) command() *exec.Cmd {
	return exec.Command(c.program, "agent", "-config-file", filepath.Join(c.dir, "consul.json"))
}

func (c *Consul) environment() []string {
	return environmentWithout(filepath.Join(c.dir, "home"), "CONSUL_")
}
