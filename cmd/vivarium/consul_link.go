package main

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/cluster/consul"
	"github.com/vivarium-env/vivarium/pkg/config"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// consulLink is this process's way to the others of its cluster. Its methods work on nil: then there is no Consul, and
// everything is as on one machine.
type consulLink struct {
	client       *consul.Client
	itself       itself
	log          *slog.Logger
	service      string
	registration *consul.Registration
}

// linkConsul asks the agent who it is, and waits for it as long as a bus is waited for: an address may be a service. Where it does not
// answer, it is what file says that it was, and is asked again in the background; changed is called when it turns out to be another one.
func linkConsul(ctx context.Context, settings config.Consul, file string, changed func(), log *slog.Logger) (*consulLink, error) {
	if settings.Address == "" {
		return nil, nil
	}
	client, err := consul.New(consul.Options{Address: settings.Address, Token: settings.Token, Namespace: settings.Namespace,
		Partition: settings.Partition, Log: log, TLS: consul.TLS{CAFile: settings.CAFile, CertFile: settings.CertFile,
			KeyFile: settings.KeyFile, ServerName: settings.ServerName}})
	if err != nil {
		return nil, err
	}
	l := &consulLink{client: client, service: settings.Service, log: log, itself: itself{file: file}}
	if err := l.meet(ctx, changed); err != nil {
		client.Close()
		return nil, err
	}
	return l, nil
}

func (l *consulLink) meet(ctx context.Context, changed func()) error {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	if err := l.itself.recall(); err != nil {
		return err
	}
	self, err := l.client.Self(ctx)
	if err == nil {
		_, err = l.itself.take(self)
		return err
	}
	if e := fault.From(err); e.Disposition != fault.Retry && e.Disposition != fault.Wait {
		return err
	}
	l.log.Warn("Consul does not answer; what can go on without it does", "error", err)
	l.learn(changed)
	return nil
}

func (l *consulLink) close() {
	if l != nil {
		l.itself.stop()
		l.client.Close()
	}
}

// bus is the address of a bus, looked up where it is a service.
func (l *consulLink) bus(ctx context.Context, address string) (string, error) {
	return l.resolve(ctx, address, "amqp", []string{"amqp", "amqps", "nats"}, false)
}

// store is the address of a store, with all instances where it is a service.
func (l *consulLink) store(ctx context.Context, address string) (string, error) {
	return l.resolve(ctx, address, "arangodb", []string{"arangodb", "arangodb+tls"}, true)
}

func (l *consulLink) resolve(ctx context.Context, address, scheme string, known []string, many bool) (string, error) {
	if !strings.HasPrefix(address, consul.Scheme) {
		return address, nil
	}
	if l == nil {
		return "", usage("an address that begins with consul:// needs a Consul: say which with --consul or VIVARIUM_CONSUL")
	}
	return l.client.Resolve(ctx, address, scheme, known, many)
}

// register keeps the process registered until leave.
func (l *consulLink) register(ctx context.Context, tell func() consul.Instance) error {
	if l == nil {
		return nil
	}
	r := l.client.Register(tell)
	if err := r.Start(ctx); err != nil {
		return err
	}
	l.registration = r
	return nil
}

func (l *consulLink) leave(ctx context.Context) error {
	if l == nil || l.registration == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	_ = l.registration.Stop(ctx) // it was logged that Consul is away, and Consul finds out by itself
	return nil
}

func (l *consulLink) info() wire.Consul {
	if l == nil {
		return wire.Consul{}
	}
	w := wire.Consul{Configured: true, Address: l.client.Address(), Datacentre: l.datacentre()}
	if l.registration == nil {
		return w
	}
	if err := l.registration.Status(); err != nil {
		w.Error = fault.From(err).Message
	}
	w.Registered = w.Error == ""
	return w
}

// located is the address of a bus for a command, which has no settings but the variables.
func (c *cli) located(ctx context.Context, address string) (string, error) {
	if !strings.HasPrefix(address, consul.Scheme) {
		return address, nil
	}
	settings, err := config.Load(config.Inputs{Variables: c.variables})
	if err != nil {
		return "", err
	}
	link, err := linkConsul(ctx, settings.Consul, "", nil, slog.New(slog.DiscardHandler))
	if err != nil {
		return "", err
	}
	defer link.close()
	return link.bus(ctx, address)
}
