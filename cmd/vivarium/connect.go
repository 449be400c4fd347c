package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"os/user"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/bus/amqp"
	"github.com/vivarium-env/vivarium/pkg/bus/nats"
	"github.com/vivarium-env/vivarium/pkg/client"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// connectTimeout bounds how long a command waits for a bus to answer.
const connectTimeout = 15 * time.Second

// connection is how a command finds server and bus.
type connection struct {
	c                    *cli
	server, bus, dataDir string
	roots                string // for the bus's certificate, in PEM; "" takes the system's
	way                  dialer // to the bus; nil: as usual
	caFile               string // for the server's
}

// on is a connection to a bus, for commands alone.
func (c *cli) on(bus string) *connection { return &connection{c: c, bus: bus} }

// connectionFlags adds --server, --bus and --data-dir to a command and all below it.
func connectionFlags(c *cli, cmd *cobra.Command) *connection {
	x := &connection{c: c}
	cmd.PersistentFlags().StringVar(&x.server, "server", "", "URL of a server's API ($VIVARIUM_SERVER)")
	cmd.PersistentFlags().StringVar(&x.caFile, "ca-file", "", "roots (PEM) that the certificate of --server is checked with; the system's unless given ($VIVARIUM_CA_FILE)")
	cmd.PersistentFlags().StringVar(&x.bus, "bus", "", "URL of the message bus ($VIVARIUM_BUS)")
	cmd.PersistentFlags().StringVar(&x.dataDir, "data-dir", "",
		"data folder of a server on this machine, for what --server and --bus do not say ($VIVARIUM_DATA_DIR) (default .vivarium)")
	return x
}

func (x *connection) or(flag, variable, fallback string) string {
	if flag != "" {
		return flag
	}
	if v := x.c.variables[variable]; v != "" {
		return v
	}
	return fallback
}

func (x *connection) find() (discovery, error) {
	return findServer(x.or(x.dataDir, "VIVARIUM_DATA_DIR", ".vivarium"))
}

// address is that of the server's API, with the roots for its certificate: the one that was named, or that of the data folder.
func (x *connection) address() (address, roots string, err error) {
	if address = x.or(x.server, "VIVARIUM_SERVER", ""); address != "" {
		roots, err = readRoots(x.or(x.caFile, "VIVARIUM_CA_FILE", ""), "the server")
		return address, roots, err
	}
	d, err := x.find()
	return d.API, d.APICA, err
}

// api is a client of the API.
func (x *connection) api() (*client.API, error) {
	address, roots, err := x.address()
	if err != nil {
		return nil, err
	}
	return client.NewAPI(address, trusting(roots)), nil
}

// publisher is a client of the bus. The caller calls done.
func (x *connection) publisher(ctx context.Context) (p *client.Commands, done func(), err error) {
	b, err := x.open(ctx)
	if err != nil {
		return nil, nil, err
	}
	p = client.NewBus(b, source())
	return p, func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		_ = errors.Join(p.Close(closing), b.Close(closing)) // the answer is there, and the broker forgets the rest
	}, nil
}

// open connects to the bus that was named, or that of the data folder's server.
func (x *connection) open(ctx context.Context) (b bus.Bus, err error) {
	address := x.or(x.bus, "VIVARIUM_BUS", "")
	if x.bus == "" && x.c.variables["VIVARIUM_BUS_CREDENTIALS"] != "" {
		address = "" // it says where the server is told who connects, as in its container: the server knows with what
	}
	access := busAccess{roots: x.roots, dial: x.way}
	if file := x.c.variables["VIVARIUM_BUS_CA_FILE"]; file != "" && access.roots == "" {
		if access.roots, err = readRoots(file, "the broker"); err != nil {
			return nil, err
		}
	}
	return x.dial(ctx, address, access)
}

// dial connects to the bus of an address, or to that of the data folder's server. Where that one is given its credentials by Vault, those
// of a moment ago may be taken back by now: the server has others then.
func (x *connection) dial(ctx context.Context, address string, access busAccess) (bus.Bus, error) {
	here := address == "" || address == "embedded"
	for tried := ""; ; tried = address {
		if here {
			d, err := x.find()
			if err != nil {
				return nil, err
			}
			if !d.Primary {
				return nil, fmt.Errorf("the server here is a secondary and takes no commands; send them to cluster %q", d.Cluster)
			}
			address, access.roots = d.Bus, d.BusCA
		}
		to, err := x.c.located(ctx, address)
		if err != nil {
			return nil, err
		}
		b, err := dial(ctx, to, "vivarium-cli", access, slog.New(slog.DiscardHandler))
		if err == nil || !here || address == tried || !fault.Is(err, fault.Invalid) {
			return b, err
		}
	}
}

// dial connects to a bus that runs elsewhere.
func dial(ctx context.Context, address, name string, access busAccess, log *slog.Logger) (bus.Bus, error) {
	if err := access.login.fits(address); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	switch scheme, _, _ := strings.Cut(address, "://"); scheme {
	case "amqp", "amqps":
		return asBus(amqp.Dial(ctx, amqp.Options{URL: address, Name: name, Login: access.login.source(), TLS: trust(access.roots), Dial: access.dial, Log: log}))
	case "nats":
		return asBus(nats.Connect(ctx, nats.Options{URL: address, Name: name, Log: log}))
	default:
		return nil, usage("the bus's address has to begin with amqp://, amqps:// or nats://")
	}
}

// asBus keeps a nil pointer from becoming an interface that is not nil.
func asBus[B bus.Bus](b B, err error) (bus.Bus, error) {
	if err != nil {
		return nil, err
	}
	return b, nil
}

// source says in the journal who asked: user and host.
func source() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	return "/cli/" + url.PathEscape(host) + "/" + url.PathEscape(name)
}
