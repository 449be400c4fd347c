package consulkv

import (
	"context"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// address is Options.Address in its parts.
type address struct {
	scheme string // http, https or unix
	rest   string // host:port and perhaps the path of a proxy, or the path of a socket
	shown  string // to people, without user and password
}

func parseAddress(text string) address {
	if text == "" {
		text = DefaultAddress
	}
	a := address{scheme: "http", rest: text}
	if scheme, rest, ok := strings.Cut(text, "://"); ok {
		a = address{scheme: strings.ToLower(scheme), rest: rest}
	}
	if a.scheme != "unix" {
		if at := strings.LastIndex(a.rest, "@"); at >= 0 {
			a.rest = a.rest[at+1:]
		}
		a.rest = strings.TrimSuffix(a.rest, "/")
	}
	a.shown = a.rest
	return a
}

// client makes the API's client at first, and again after a failure: a certificate's file may have come meanwhile.
func (e *Executor) client() (*api.Client, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.made != nil {
		return e.made, nil
	}
	through, err := e.httpClient()
	if err != nil {
		return nil, fault.Wrap(err, fault.GiveUp, fault.Invalid,
			"the runner's TLS settings for Consul at %s are no good: a file of them is missing or can't be read", e.address.shown)
	}
	config := &api.Config{
		Address: e.address.rest, Scheme: e.address.scheme, HttpClient: through, Token: e.options.Token,
		Namespace: e.options.Namespace, Partition: e.options.Partition,
	}
	switch e.address.scheme {
	case "unix":
		config.Address, config.Scheme = "localhost", "http"
	case "http", "https":
		config.Address = e.address.scheme + "://" + e.address.rest
	default:
		return nil, fault.New(fault.GiveUp, fault.Invalid,
			"the runner's address of Consul begins with %s://; it can be host:port, http://, https:// or unix://", e.address.scheme)
	}
	made, err := api.NewClient(config)
	if err != nil {
		return nil, fault.Wrap(err, fault.GiveUp, fault.Invalid, "the runner's settings for Consul at %s are no good", e.address.shown)
	}
	e.made, e.http = made, through
	return made, nil
}

// httpClient is the one given, or one of our own, under the token.
func (e *Executor) httpClient() (*http.Client, error) {
	given := http.Client{}
	if e.options.HTTPClient != nil {
		given = *e.options.HTTPClient
	} else {
		transport, err := e.transport()
		if err != nil {
			return nil, err
		}
		given.Transport = transport
	}
	if given.Transport == nil {
		given.Transport = http.DefaultTransport
	}
	given.Transport = tokened{given.Transport, e.options.Token}
	return &given, nil
}

func (e *Executor) transport() (*http.Transport, error) {
	transport := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout: 10 * time.Second,
		MaxIdleConnsPerHost: 4,
		IdleConnTimeout:     30 * time.Second,
	}
	switch e.address.scheme {
	case "https":
		t := e.options.TLS
		settings, err := api.SetupTLSConfig(&api.TLSConfig{
			Address: t.ServerName, CAFile: t.CAFile, CAPath: t.CAPath, CertFile: t.CertFile, KeyFile: t.KeyFile,
			InsecureSkipVerify: t.Insecure,
		})
		if err != nil {
			return nil, err
		}
		transport.TLSClientConfig = settings
	case "unix":
		transport.Proxy = nil
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", e.address.rest)
		}
	}
	return transport, nil
}

// tokened sends our token and no other: left alone, the API's client would look for one in the environment variables.
type tokened struct {
	http.RoundTripper
	token string
}

func (t tokened) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Del("X-Consul-Token")
	if t.token != "" {
		r.Header.Set("X-Consul-Token", t.token)
	}
	return t.RoundTripper.RoundTrip(r)
}

// CloseIdleConnections is what http.Client.CloseIdleConnections looks for.
func (t tokened) CloseIdleConnections() {
	if c, ok := t.RoundTripper.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}
