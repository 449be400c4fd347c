package api

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net/http"
	"time"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/cluster/replication"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// The types of the answers, as package wire has them.
type (
	Info               = wire.Info
	Role               = wire.Role
	Template           = wire.Template
	TemplateVersion    = wire.TemplateVersion
	TemplateParameter  = wire.TemplateParameter
	TemplateResource   = wire.TemplateResource
	TemplateOutput     = wire.TemplateOutput
	TemplateEntrypoint = wire.TemplateEntrypoint
	TemplateFile       = wire.TemplateFile
)

// Roles of a server.
const (
	Primary   = wire.Primary
	Secondary = wire.Secondary
)

// TemplateSource is the catalogue as the API shows it. Its methods are called concurrently.
type TemplateSource interface {
	// List is every version of every template, the versions of one template newest first.
	List(ctx context.Context) ([]TemplateVersion, error)
	// Get opens one by its reference, name@version. What is not there is fault.UnknownTemplate.
	Get(ctx context.Context, ref string) (Template, error)
}

// Check is something that the server depends on.
type Check struct {
	Name string
	// Required checks make the server not ready when they fail; the others are only shown.
	Required bool
	// Probe returns nil when all is well. It is called concurrently, and given two seconds.
	Probe func(ctx context.Context) error
}

// ImpactQuestion is about a template of the catalogue, or one that was sent.
type ImpactQuestion struct {
	// Name of the template, and Version of the catalogue; "" is the newest.
	Name, Version string
	// Packed is the folder that was sent, as package bundle packs it; nil asks about the catalogue.
	Packed []byte
	// Limit is how many environments are looked at at most, Cursor where to go on, Within when to end the page at the latest.
	Limit  int
	Cursor string
	Within time.Duration
}

// Options of a Server. Store, Templates and Info are required.
type Options struct {
	// Listen is host:port; port 0 takes any free one. Start needs it, Handler does not.
	Listen string
	// TLS is what the listener shows of itself; nil listens without.
	TLS       *tls.Config
	Store     store.Store
	Templates TemplateSource
	// Info is asked for every request of self/info; Uptime may be left to the API.
	Info   func() Info
	Checks []Check
	// Runners are those that were heard lately, with what they told; nil when nobody listens for them.
	Runners func() []event.Alive
	// Pools are those that should have runners; nil knows of none.
	Pools func() []string
	// Usage tells what a resource uses now; nil where nobody measures. It may take some seconds.
	Usage func(ctx context.Context, environment, address string) (event.Usage, error)
	// Follows tells whether the output of a kind's resources is followed while they are deployed; nil is no.
	Follows func(kind string) bool
	// Draw makes an SVG picture of a graph in Graphviz' language, see package draw; nil where there is no program for it.
	Draw func(ctx context.Context, dot string) ([]byte, error)
	// Impact says what a template would change in live environments; nil where nobody can tell.
	Impact func(ctx context.Context, q ImpactQuestion) (wire.TemplateImpact, error)
	// Replication serves what is below replication.Prefix; nil serves nothing there.
	Replication http.Handler
	// Beside serves paths that are no part of the API.
	Beside map[string]http.Handler
	// Lag is how far a secondary is behind, told with every answer; nil in a primary.
	Lag func() replication.Lag
	// Held is why no step is begun now, whatever it waits for by its record; nil, and a nil reason, say that steps are begun.
	Held func() *environment.Reason
	// Cluster tells of both sides; nil knows of none.
	Cluster func(ctx context.Context) (wire.Cluster, error)
	// Ready and Started tell how far the server is; nil is yes.
	Ready   func() bool
	Started func() bool
	// Log takes one line a request at level debug, and what went wrong inside at level error. Nil discards.
	Log *slog.Logger
	// Heartbeat is how often a silent stream says that it lives; 0 takes 15 seconds.
	Heartbeat time.Duration
	// Timeout bounds a request that is no stream; 0 takes 30 seconds.
	Timeout time.Duration
	// RateLimit is how many requests one address may make each second, and twice as many at once; 0 is no limit. What asks
	// how the server is, is never limited.
	RateLimit int
}

func (o *Options) complete() error {
	if o.Store == nil || o.Templates == nil || o.Info == nil {
		return fault.New(fault.GiveUp, fault.Invalid, "the API needs a store, a source of templates and an info")
	}
	yes := func() bool { return true }
	if o.Follows == nil {
		o.Follows = func(string) bool { return false }
	}
	if o.Held == nil {
		o.Held = func() *environment.Reason { return nil }
	}
	if o.Draw == nil {
		o.Draw = drawsNothing
	}
	if o.Ready == nil {
		o.Ready = yes
	}
	if o.Started == nil {
		o.Started = yes
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Heartbeat <= 0 {
		o.Heartbeat = 15 * time.Second
	}
	if o.Timeout <= 0 {
		o.Timeout = 30 * time.Second
	}
	return nil
}
