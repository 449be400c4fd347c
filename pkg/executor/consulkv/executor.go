package consulkv

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/vivarium-env/vivarium/pkg/executor"
)

// DefaultAddress is where a Consul agent listens unless told otherwise.
const DefaultAddress = "127.0.0.1:8500"

// DefaultTimeout bounds one request; a server without a leader takes 7 s to say so.
const DefaultTimeout = 15 * time.Second

// Options configure the executor. The zero value talks to the agent on this machine without a token.
type Options struct {
	// Address is host:port, or a URL with http, https or unix; "" is DefaultAddress.
	Address string
	// Token is the ACL token; it needs key_prefix "PREFIX/" { policy = "write" } for the prefixes of the templates.
	Token string
	// Namespace and Partition are of Consul Enterprise; "" is Consul's default.
	Namespace, Partition string
	// TLS counts for https addresses.
	TLS TLS
	// Timeout bounds one request; 0 is DefaultTimeout.
	Timeout time.Duration
	// HTTPClient, when not nil, carries the requests in place of one made for Address and TLS.
	HTTPClient *http.Client
	Log        *slog.Logger
}

// TLS says whom to trust, and who we are. The zero value trusts what the system trusts.
type TLS struct {
	CAFile, CAPath    string
	CertFile, KeyFile string
	// ServerName is expected in the certificate in place of the address's host.
	ServerName string
	// Insecure accepts any certificate.
	Insecure bool
}

// Executor keeps keys as templates want them. It is safe for concurrent use. It keeps idle connections: Close them.
type Executor struct {
	options Options
	address address

	mu   sync.Mutex
	made *api.Client  // once it could be made
	http *http.Client // what made talks through
}

var (
	_ executor.Executor = (*Executor)(nil)
	_ executor.Targeter = (*Executor)(nil)
	_ executor.Adopter  = (*Executor)(nil)
)

// New makes the executor. It touches nothing: an address or a certificate that is no good shows when it is first needed.
func New(o Options) *Executor {
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Executor{options: o, address: parseAddress(o.Address)}
}

// Close lets go of idle connections; the executor can still be used.
func (e *Executor) Close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.http != nil {
		e.http.CloseIdleConnections()
	}
}

// Target is the address of Consul, and the datacentre where the block names one: one that is away must not keep the
// work from the others.
func (e *Executor) Target(r executor.Request) string {
	b, err := decode(r)
	if err != nil {
		return ""
	}
	return e.target(b.place())
}

func (e *Executor) target(p place) string {
	if p.datacenter == "" {
		return e.address.shown
	}
	return e.address.shown + " (" + p.datacenter + ")"
}

// Apply writes the keys that differ and removes those of its own that the template no longer has.
func (e *Executor) Apply(ctx context.Context, r executor.Request) (executor.Outputs, error) {
	w, err := e.begin(ctx, r)
	if err != nil {
		return nil, err
	}
	want, err := w.block.render(r)
	if err != nil {
		return nil, err
	}
	found, err := w.converge(ctx, w.here, want, nil)
	if err != nil {
		return nil, err
	}
	if err := w.leave(ctx, want); err != nil {
		return nil, err
	}
	return w.outputs(found, want), nil
}

// Destroy removes the step's own keys, wherever the last apply wrote them, and looks that none is left.
func (e *Executor) Destroy(ctx context.Context, r executor.Request) error {
	w, err := e.begin(ctx, r)
	if err != nil {
		return err
	}
	for _, p := range w.places() {
		found, err := w.converge(ctx, p, nil, nil)
		if err != nil {
			return err
		}
		if err := w.prove(ctx, p, found); err != nil {
			return err
		}
	}
	return nil
}
