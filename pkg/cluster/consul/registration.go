package consul

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Times of a registration. A process that is killed is critical after the TTL, and Consul forgets it after Forget, of
// which it takes no less than a minute.
const (
	renewEvery = 3 * time.Second
	ttl        = 15 * time.Second
	forget     = time.Minute
	httpEvery  = 5 * time.Second
)

// Instance is a server or a runner, as Consul knows it.
type Instance struct {
	// ID is new with every start of a process.
	ID string
	// Service is "vivarium-server" or "vivarium-runner", unless configured otherwise.
	Service string
	// Name is for people, and stays over restarts.
	Name string
	// Cluster, Role, Epoch and Version are metadata.
	Cluster string
	Role    string
	Epoch   uint64
	Version string
	// Address is host:port at which the API is reached; empty for a runner, which has no port.
	Address string
	// TLS tells whether the API has a certificate.
	TLS bool
	// Health is the URL that Consul asks; empty for none. One that begins with https:// is checked with the roots of the agent, which has to have
	// enable_agent_tls_for_checks where the authority is none of its system's.
	Health string
	// Healthy and Datacentre are answers.
	Healthy    bool
	Datacentre string
}

// URL is where the API is.
func (i Instance) URL() string {
	if i.TLS {
		return "https://" + i.Address
	}
	return "http://" + i.Address
}

// Registration keeps one instance registered. It is a service.Service; all methods are safe for concurrent use.
type Registration struct {
	client *Client
	tell   func() Instance

	mu         sync.Mutex
	registered *Instance // what Consul was told last
	err        error
	cancel     context.CancelFunc
	done       chan struct{}
}

// Register makes a registration of what tell says, which is asked again every few seconds: when its answer has changed,
// Consul is told. Nothing happens before Start.
func (c *Client) Register(tell func() Instance) *Registration {
	return &Registration{client: c, tell: tell}
}

// Start registers, or goes on trying in the background while Consul is away. A token that may not is an error.
func (r *Registration) Start(ctx context.Context) error {
	err := r.renew(ctx)
	if fault.Is(err, fault.PermissionDenied) || fault.Is(err, fault.Invalid) {
		return err
	}
	living, cancel := context.WithCancel(context.Background())
	r.mu.Lock()
	r.cancel, r.done = cancel, make(chan struct{})
	r.mu.Unlock()
	go r.loop(living)
	return nil
}

// Stop deregisters. Stopping twice, or before Start, is harmless.
func (r *Registration) Stop(ctx context.Context) error {
	r.mu.Lock()
	cancel, done, last := r.cancel, r.done, r.registered
	r.cancel, r.registered = nil, nil
	r.mu.Unlock()
	if cancel == nil {
		return nil
	}
	cancel()
	<-done
	if last == nil {
		return nil
	}
	return r.client.call(ctx, "", func(ctx context.Context) error {
		return r.client.api.Agent().ServiceDeregisterOpts(last.ID, (&api.QueryOptions{}).WithContext(ctx))
	})
}

// Status is why Consul does not have the instance now, nil when it has.
func (r *Registration) Status() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

func (r *Registration) loop(ctx context.Context) {
	defer close(r.done)
	ticker := time.NewTicker(renewEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		before := r.Status()
		err := r.renew(ctx)
		switch {
		case ctx.Err() != nil:
		case err != nil && before == nil:
			r.client.options.Log.Warn("Consul is not told any more that this process is there; it is tried again", "consul", r.client.shown, "error", err)
		case err == nil && before != nil:
			r.client.options.Log.Info("Consul is told again that this process is there", "consul", r.client.shown)
		}
	}
}

// renew says that the instance lives, and registers it where Consul does not have it, or has it otherwise.
func (r *Registration) renew(ctx context.Context) error {
	now := r.tell()
	r.mu.Lock()
	same := r.registered != nil && *r.registered == now && r.err == nil
	r.mu.Unlock()
	var err error
	if same {
		err = r.client.beat(ctx, now)
	}
	if !same || fault.Is(err, fault.NotFound) { // Consul has lost it: it was forgotten, or the agent began anew
		err = r.client.register(ctx, now)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err = err; err == nil {
		r.registered = &now
	}
	return err
}

func checkID(i Instance) string { return "service:" + i.ID + ":ttl" }

func (c *Client) beat(ctx context.Context, i Instance) error {
	return c.call(ctx, "", func(ctx context.Context) error {
		return c.api.Agent().UpdateTTLOpts(checkID(i), "", api.HealthPassing, (&api.QueryOptions{}).WithContext(ctx))
	})
}

func (c *Client) register(ctx context.Context, i Instance) error {
	s := &api.AgentServiceRegistration{ID: i.ID, Name: i.Service, Tags: []string{i.Role}, Meta: map[string]string{
		"name": i.Name, "cluster": i.Cluster, "role": i.Role, "epoch": strconv.FormatUint(i.Epoch, 10), "version": i.Version, "address": i.Address, "tls": strconv.FormatBool(i.TLS),
	}}
	s.Address, s.Port = split(i.Address)
	s.Checks = api.AgentServiceChecks{{CheckID: checkID(i), Name: "the process is heard", TTL: ttl.String(), Status: api.HealthPassing,
		DeregisterCriticalServiceAfter: forget.String()}}
	if i.Health != "" {
		s.Checks = append(s.Checks, &api.AgentServiceCheck{CheckID: "service:" + i.ID + ":http", Name: "the API answers", HTTP: i.Health,
			Interval: httpEvery.String(), Timeout: "3s", Status: api.HealthPassing})
	}
	return c.call(ctx, "", func(ctx context.Context) error {
		return c.api.Agent().ServiceRegisterOpts(s, api.ServiceRegisterOpts{}.WithContext(ctx))
	})
}
