package consul

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/resilience"
)

// Options say which Consul, and as whom.
type Options struct {
	// Address is host:port, http://host:port or https://host:port of an agent.
	Address string
	// Token of the access control; "" sends none.
	Token string
	// Namespace and Partition are of Consul Enterprise; "" leaves them out.
	Namespace, Partition string
	TLS                  TLS
	// Timeout bounds one call; 0 takes 5 s.
	Timeout time.Duration
	// Log, when nil, is silent.
	Log *slog.Logger
}

// TLS is used where Address begins with https://. Files are PEM; empty takes the system's roots and no certificate.
type TLS struct {
	CAFile, CertFile, KeyFile, ServerName string
}

// Client speaks with one agent. It is safe for concurrent use.
type Client struct {
	options   Options
	shown     string
	api       *api.Client
	transport *http.Transport
	breaker   *resilience.Breakers
}

// New makes a client; nothing is asked yet. The error is fault.Invalid, and never repeats the token.
func New(o Options) (*Client, error) {
	if o.Timeout <= 0 {
		o.Timeout = 5 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	scheme, rest, ok := strings.Cut(o.Address, "://")
	if !ok {
		scheme, rest = "http", o.Address
	}
	if (scheme != "http" && scheme != "https") || rest == "" || strings.Contains(rest, "@") {
		return nil, fault.New(fault.Reject, fault.Invalid, "the address of Consul has to be host:port, or begin with http:// or https://; a token is a setting of its own")
	}
	c := &Client{options: o, shown: strings.TrimSuffix(rest, "/"), breaker: resilience.NewBreakers(resilience.BreakerPolicy{CoolDown: 5 * time.Second}, nil)}
	c.transport = &http.Transport{DialContext: (&net.Dialer{Timeout: o.Timeout}).DialContext, TLSHandshakeTimeout: o.Timeout,
		MaxIdleConnsPerHost: 4, IdleConnTimeout: 30 * time.Second}
	if scheme == "https" {
		settings, err := api.SetupTLSConfig(&api.TLSConfig{Address: o.TLS.ServerName, CAFile: o.TLS.CAFile, CertFile: o.TLS.CertFile, KeyFile: o.TLS.KeyFile})
		if err != nil {
			return nil, fault.Wrap(err, fault.Reject, fault.Invalid, "the TLS settings for Consul are no good: a file of them is missing, or is none in PEM")
		}
		c.transport.TLSClientConfig = settings
	}
	made, err := api.NewClient(&api.Config{Address: scheme + "://" + c.shown, HttpClient: &http.Client{Transport: only{c.transport, o.Token}},
		Token: o.Token, Namespace: o.Namespace, Partition: o.Partition})
	if err != nil {
		return nil, fault.Wrap(err, fault.Reject, fault.Invalid, "the settings for Consul at %s are no good", c.shown)
	}
	c.api = made
	return c, nil
}

// only sends our token and no other: left alone, the API's client would take one from the environment variables, which
// are those of the executors.
type only struct {
	http.RoundTripper
	token string
}

func (o only) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Del("X-Consul-Token")
	if o.token != "" {
		r.Header.Set("X-Consul-Token", o.token)
	}
	return o.RoundTripper.RoundTrip(r)
}

// Address is that of the agent, without anything secret.
func (c *Client) Address() string { return c.shown }

// Close lets go of the connections that are kept.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// call makes one call, twice where it did not come through, within twice the timeout. datacentre is whose breaker counts.
func (c *Client) call(ctx context.Context, datacentre string, work func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, 2*c.options.Timeout)
	defer cancel()
	p := resilience.Policy{Attempts: 2, Backoff: 100 * time.Millisecond, Deadline: c.options.Timeout, Breaker: c.breaker.For(strings.TrimSuffix("Consul at "+c.shown+" for "+datacentre, " for "))}
	return resilience.Do(ctx, p, func(ctx context.Context) error { return c.fault(ctx, datacentre, work(ctx)) })
}

// Self is what the agent says of itself.
type Self struct {
	Datacentre string
	// Address of the machine that the agent is on, as others reach it.
	Address string
	Version string
}

// Self asks the agent who it is.
func (c *Client) Self(ctx context.Context) (s Self, err error) {
	err = c.call(ctx, "", func(ctx context.Context) error {
		var out struct {
			Config struct{ Datacenter, Version string }
			Member struct{ Addr string }
		}
		if _, err := c.api.Raw().Query("/v1/agent/self", &out, (&api.QueryOptions{}).WithContext(ctx)); err != nil {
			return err
		}
		s = Self{Datacentre: out.Config.Datacenter, Address: out.Member.Addr, Version: out.Config.Version}
		return nil
	})
	return s, err
}

// Datacentres are those that the agent knows, over WAN too; sorted.
func (c *Client) Datacentres(ctx context.Context) (known []string, err error) {
	err = c.call(ctx, "", func(ctx context.Context) error {
		_, err := c.api.Raw().Query("/v1/catalog/datacenters", &known, (&api.QueryOptions{}).WithContext(ctx))
		return err
	})
	slices.Sort(known)
	return known, err
}

// KnowDatacentre is nil when the agent knows the datacentre; fault.NotFound names those that it knows.
func (c *Client) KnowDatacentre(ctx context.Context, name string) error {
	known, err := c.Datacentres(ctx)
	if err != nil || slices.Contains(known, name) {
		return err
	}
	return c.unknown(name, known)
}

func (c *Client) unknown(name string, known []string) error {
	return fault.New(fault.GiveUp, fault.NotFound,
		"Consul at %s knows no datacentre %q; it knows %s: name one of them, or join the servers of %q over WAN (consul join -wan)", c.shown, name, strings.Join(known, ", "), name)
}

// fault says what an error of the API means: by statuses, and by what Consul answers when it is asked.
func (c *Client) fault(ctx context.Context, datacentre string, err error) error {
	if err == nil || ctx.Err() != nil {
		return err
	}
	var known *fault.Error
	if errors.As(err, &known) {
		return err
	}
	var status api.StatusError
	if !errors.As(err, &status) {
		if wrong := c.untrusted(err); wrong != nil {
			return wrong
		}
		return fault.Wrap(err, fault.Retry, fault.Unavailable, "Consul at %s does not answer", c.shown)
	}
	switch {
	case status.Code == http.StatusForbidden || status.Code == http.StatusUnauthorized:
		return fault.Wrap(err, fault.GiveUp, fault.PermissionDenied, "Consul at %s does not let this process do that: its token needs a policy with agent:read, node:read, service:write and key:write", c.shown)
	case status.Code == http.StatusNotFound:
		return fault.Wrap(err, fault.GiveUp, fault.NotFound, "Consul at %s knows nothing of it", c.shown)
	case status.Code >= http.StatusInternalServerError && datacentre != "":
		var names []string
		if _, err := c.api.Raw().Query("/v1/catalog/datacenters", &names, (&api.QueryOptions{}).WithContext(ctx)); err == nil && !slices.Contains(names, datacentre) {
			slices.Sort(names)
			return c.unknown(datacentre, names)
		}
		return fault.Wrap(err, fault.Retry, fault.Unavailable, "Consul at %s does not reach datacentre %q now", c.shown, datacentre)
	case status.Code >= http.StatusInternalServerError:
		return fault.Wrap(err, fault.Retry, fault.Unavailable, "Consul at %s can't answer now (HTTP status %d); it may have no leader", c.shown, status.Code)
	}
	return fault.Wrap(err, fault.GiveUp, fault.Invalid, "Consul at %s refused a request with HTTP status %d; is this the address of its HTTP API, with the right scheme?", c.shown, status.Code)
}
