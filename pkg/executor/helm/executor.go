package helm

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"k8s.io/client-go/rest"

	"github.com/vivarium-env/vivarium/pkg/executor"
)

// requestTimeout bounds one request that is not a watch.
const requestTimeout = 30 * time.Second

// Cluster is the one of the runner, with the namespaces of environments.
type Cluster interface {
	// Config is how the API server is reached, a copy, and its address as it may be shown.
	Config() (config *rest.Config, address string, err error)
	// Place is the namespace of a step, and a name that is the step's in it.
	Place(r executor.Request) (namespace, name string)
	// Enter makes the step's namespace where it is not there; Leave removes it when nobody needs it any more.
	Enter(ctx context.Context, r executor.Request) error
	Leave(ctx context.Context, r executor.Request) error
}

// Options configure the executor.
type Options struct {
	Cluster Cluster
	// CacheDir is for charts that were fetched, by their digests; it may be lost.
	CacheDir string
	Log      *slog.Logger
}

// Executor installs charts. It is safe for concurrent use. It keeps idle connections: Close it.
type Executor struct {
	options Options
	// transport is how charts are fetched.
	transport http.RoundTripper
}

var (
	_ executor.Executor = (*Executor)(nil)
	_ executor.Targeter = (*Executor)(nil)
)

// New makes the executor. It touches nothing.
func New(o Options) *Executor {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Executor{options: o, transport: http.DefaultTransport}
}

// Target is the API server's address, with the namespace.
func (e *Executor) Target(r executor.Request) string {
	b, err := decode(r)
	if err != nil {
		return ""
	}
	_, address, err := e.options.Cluster.Config()
	if err != nil {
		return ""
	}
	return address + " (" + e.namespace(r, b) + ")"
}

func (e *Executor) namespace(r executor.Request, b block) string {
	if b.Namespace != "" {
		return b.Namespace
	}
	namespace, _ := e.options.Cluster.Place(r)
	return namespace
}

// Close lets go of idle connections; the executor can still be used.
func (e *Executor) Close() {
	config, _, err := e.options.Cluster.Config()
	if err != nil {
		return
	}
	if c, err := rest.HTTPClientFor(config); err == nil { // which has the connections of all that was made of such a config
		c.CloseIdleConnections()
	}
}
