package vault

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// idle is how long a connection that nobody uses stays open.
const idle = 30 * time.Second

// Client is the runner's one login to a Vault, shared by the executors of all kinds; safe for concurrent use. It works
// without Start, which only adds that the token is renewed while nobody uses it.
type Client struct {
	o         Options
	api       *api.Client
	transport *http.Transport
	broken    error // why the options can't be used

	turn  chan struct{} // has room for the one who logs in or renews
	lease lease         // guarded by turn

	mu     sync.Mutex
	kv     map[string]bool // mounts that were seen to be KV version 2
	cancel context.CancelFunc
	over   chan struct{} // closed when the renewing has ended
}

// New makes the executors of all kinds, which share one client of their own. Options that can't be used are an error of
// every task. Use Connect where the token has to outlive idle hours.
func New(o Options) []executor.Executor { return Connect(o).Executors() }

// Connect makes a client; it asks Vault nothing yet.
func Connect(o Options) *Client {
	c := &Client{o: o.withDefaults(), turn: make(chan struct{}, 1), kv: map[string]bool{}}
	if c.broken = c.o.check(); c.broken == nil {
		c.broken = c.dial()
	}
	return c
}

// Executors are one for each kind.
func (c *Client) Executors() []executor.Executor {
	return []executor.Executor{&secretExecutor{shared{c}}, &policyExecutor{shared{c}}, &appRoleExecutor{shared{c}}, &pkiExecutor{shared{c}}}
}

// dial makes the HTTP client. Nothing of the process's environment takes part: HashiCorp's client would read VAULT_*.
func (c *Client) dial() error {
	roots, err := c.roots()
	if err != nil {
		return err
	}
	c.transport = &http.Transport{
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
		MaxIdleConnsPerHost: 16, IdleConnTimeout: idle, TLSHandshakeTimeout: c.o.Timeout, ForceAttemptHTTP2: true,
	}
	// Redirects of a standby are followed by HashiCorp's client itself.
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.api, err = api.NewClient(&api.Config{
		Address: c.o.Address, Timeout: c.o.Timeout, MaxRetries: 0,
		HttpClient: &http.Client{Transport: c.transport, CheckRedirect: stay},
	})
	if err != nil {
		return fmt.Errorf("the client of Vault can't be made (variables VAULT_* of the process may be malformed): %w", err)
	}
	c.api.SetHeaders(http.Header{api.RequestHeaderName: {"true"}})
	c.api.SetToken(c.o.Token)
	c.api.ClearNamespace()
	if c.o.Namespace != "" {
		c.api.SetNamespace(c.o.Namespace)
	}
	return nil
}

func (c *Client) roots() (*x509.CertPool, error) {
	if c.o.CAFile == "" {
		return nil, nil
	}
	text, err := os.ReadFile(c.o.CAFile)
	if err != nil {
		return nil, fmt.Errorf("the certificates that Vault's own is verified with: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate in PEM", c.o.CAFile)
	}
	return pool, nil
}

// target names the Vault without what may be secret in a URL.
func (c *Client) target() string {
	u, err := url.Parse(c.o.Address)
	if err != nil {
		return ""
	}
	return "Vault " + u.Scheme + "://" + u.Host
}

// Start renews the token in the background from now on. That Vault does not answer yet is no error: it is tried again.
func (c *Client) Start(context.Context) error {
	if c.broken != nil {
		return fault.Wrap(c.broken, fault.GiveUp, fault.Invalid, "the runner's settings of Vault can't be used: %s", c.broken)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cancel != nil {
		return errors.New("the client of Vault was started already")
	}
	var ctx context.Context
	ctx, c.cancel = context.WithCancel(context.Background())
	c.over = make(chan struct{})
	go c.keep(ctx, c.over)
	return nil
}

// Stop ends what Start began and closes connections. The client can still be used, and connects again then.
func (c *Client) Stop(context.Context) error {
	c.mu.Lock()
	cancel, over := c.cancel, c.over
	c.cancel = nil
	c.mu.Unlock()
	if cancel != nil {
		cancel()
		<-over
	}
	if c.transport != nil {
		c.transport.CloseIdleConnections()
	}
	return nil
}

// keep renews until ctx ends.
func (c *Client) keep(ctx context.Context, over chan<- struct{}) {
	defer close(over)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		next := time.Minute
		if l, err := c.ready(ctx); err != nil {
			c.o.Log.Warn("the runner has no valid token of Vault", "target", c.target(), "error", err)
			next = renewAgain
		} else if !l.due.IsZero() {
			next = max(min(time.Until(l.due), next), time.Second)
		}
		timer.Reset(next)
	}
}
