package initialise

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"net"
	"net/http"
	"time"

	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/zclconf/go-cty/cty"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/keypair"
	"github.com/vivarium-env/vivarium/pkg/secret"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// Options configure the executors.
type Options struct {
	// Key gives the cluster's key, from which secrets are derived; it is asked at every task.
	Key func() *secret.Box
	// Keys has Vault's unseal keys and root token; nil where there is no place for them, as in a server: then a Vault is
	// neither initialised nor unsealed, and the role of the step itself logs in.
	Keys *Keys
	// Dial connects to the servers; nil does so as usual. A bootstrap of a cluster goes through its API.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Timeout bounds one request; 15 seconds unless given.
	Timeout time.Duration

	roots *tls.Config // of one step's server
}

func (o Options) withDefaults() Options {
	if o.Timeout <= 0 {
		o.Timeout = 15 * time.Second
	}
	return o
}

// New makes the executors of all kinds. They keep no connections.
func New(o Options) []executor.Executor {
	o = o.withDefaults()
	return []executor.Executor{
		&derived{o},
		&cluster{o, derivedCertificateKind(), beginDerivedCertificate},
		&cluster{o, consulKind(), beginConsul},
		&cluster{o, vaultKind(), beginVault},
		&cluster{o, rabbitKind(), beginRabbit},
		&cluster{o, issuerKind(), beginIssuer},
		&cluster{o, certificateKind(), beginCertificate},
		&cluster{o, arangoKind(), beginArango},
	}
}

// found is what a look sees of what the step has made.
type found struct {
	// unsure: the server does not say, since nobody can log in to it, or there is none.
	unsure      bool
	present     bool
	differences []event.Difference
}

// work is one request about one server.
type work interface {
	look(ctx context.Context) (found, error)
	apply(ctx context.Context) (executor.Outputs, error)
	// remove takes away what carries the step's mark.
	remove(ctx context.Context) error
}

// cluster is an executor of one kind of server.
type cluster struct {
	o     Options
	kind  template.Kind
	begin func(o Options, r executor.Request) (work, error)
}

// Kind is the schema.
func (c *cluster) Kind() template.Kind { return c.kind }

// Traceless says that a destruction needs no proof: see the package.
func (*cluster) Traceless() {}

// Target is the server's address.
func (c *cluster) Target(r executor.Request) string {
	var b struct {
		Address string `json:"address"`
	}
	if json.Unmarshal(r.Inputs, &b) != nil || b.Address == "" {
		return ""
	}
	return r.Mask(c.kind.Name + " " + b.Address)
}

func (c *cluster) start(ctx context.Context, r executor.Request) (work, error) {
	if err := ctx.Err(); err != nil {
		return nil, fault.From(err)
	}
	return c.begin(c.o, r)
}

// Apply initialises what is not, and mends what differs.
func (c *cluster) Apply(ctx context.Context, r executor.Request) (executor.Outputs, error) {
	w, err := c.start(ctx, r)
	if err != nil {
		return nil, err
	}
	outputs, err := w.apply(ctx)
	if err != nil && ctx.Err() != nil {
		return nil, fault.From(ctx.Err())
	}
	return outputs, err
}

// Destroy takes away what is the step's; what can't be reached goes with the server's storage.
func (c *cluster) Destroy(ctx context.Context, r executor.Request) error {
	w, err := c.start(ctx, r)
	if err != nil {
		return err
	}
	err = w.remove(ctx)
	switch {
	case err != nil && ctx.Err() != nil:
		return fault.From(ctx.Err())
	case err != nil && gone(err):
		r.Log("out", r.Mask("nothing is taken away, since the server lets nobody in; what was made goes with its storage: "+fault.From(err).Message))
		return nil
	}
	return err
}

// gone tells whether a server can't be worked with any more.
func gone(err error) bool {
	for _, code := range []fault.Code{fault.Unavailable, fault.SecretUnavailable, fault.Exists} {
		if fault.Is(err, code) {
			return true
		}
	}
	return false
}

// Observe tells whether what the step has made is there, and as it was made.
func (c *cluster) Observe(ctx context.Context, r executor.Request) (event.Observation, error) {
	w, err := c.start(ctx, r)
	if err != nil {
		return event.Observation{Presence: event.PresenceUnknown}, err
	}
	seen, err := w.look(ctx)
	switch {
	case err != nil && ctx.Err() != nil:
		return event.Observation{Presence: event.PresenceUnknown}, fault.From(ctx.Err())
	case err != nil && r.Outputs == nil && gone(err):
		return event.Observation{Presence: event.PresenceUnknown}, nil
	case err != nil:
		return event.Observation{Presence: event.PresenceUnknown}, err
	}
	o := event.Observation{Presence: event.Absent}
	switch {
	case seen.unsure:
		o.Presence = event.PresenceUnknown
	case seen.present:
		o.Presence = event.Present
	}
	if r.Outputs != nil {
		o.Differences = seen.differences
	}
	o.Drifted = len(o.Differences) > 0
	return o, nil
}

// Plan tells what would be made or mended.
func (c *cluster) Plan(ctx context.Context, r executor.Request, verb event.Verb) (executor.Plan, error) {
	if len(r.Unknown) > 0 && verb == event.Apply {
		return executor.Plan{Plan: event.Plan{Change: event.ChangeUnknown, Until: r.Until()}}, nil
	}
	w, err := c.start(ctx, r)
	if err != nil {
		return executor.Plan{}, err
	}
	seen, err := w.look(ctx)
	if err != nil && !(verb == event.Destruct && gone(err)) {
		return executor.Plan{}, err
	}
	plan := event.Plan{Change: event.ChangeNone}
	switch {
	case verb == event.Destruct && seen.present:
		plan.Change = event.ChangeDestroy
	case verb == event.Destruct:
	case !seen.present:
		plan.Change, plan.Differences = event.ChangeCreate, seen.differences
	case len(seen.differences) > 0:
		plan.Change, plan.Differences = event.ChangeUpdate, seen.differences
	}
	return executor.Plan{Plan: plan}, nil
}

// retries of every kind of server: cheap to repeat.
func retries() *environment.RetryPolicy {
	return &environment.RetryPolicy{Attempts: 5, Backoff: 500 * time.Millisecond, MaxBackoff: 15 * time.Second}
}

func kindOf(name string, spec hcldec.ObjectSpec, outputs map[string]template.Output) template.Kind {
	return template.Kind{Name: name, Idempotent: true, Retry: retries(), Timeout: 5 * time.Minute, Spec: spec, Outputs: outputs}
}

func required(name string) hcldec.Spec {
	return &hcldec.AttrSpec{Name: name, Type: cty.String, Required: true}
}

func optional(name string) hcldec.Spec { return &hcldec.AttrSpec{Name: name, Type: cty.String} }

func shown(description string) template.Output {
	return template.Output{Type: cty.String, Description: description}
}

// read decodes the inputs; not those that are unknown, which only a plan has.
func read(r executor.Request, kind string, into any) error {
	if err := json.Unmarshal(r.Inputs, into); err != nil {
		return fault.New(fault.GiveUp, fault.Invalid, "the inputs of %s are not those of a %s block", r.Step, kind)
	}
	return nil
}

// need refuses empty inputs; pairs are names and values.
func need(r executor.Request, pairs ...string) error {
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			return fault.New(fault.GiveUp, fault.Invalid, "%s of %s is empty", pairs[i], r.Step)
		}
	}
	return nil
}

// bring makes what is missing or other, and leaves alone what is as it should be.
func bring(ctx context.Context, look func(context.Context) (found, error), make func(context.Context) error) error {
	f, err := look(ctx)
	if err != nil || len(f.differences) == 0 {
		return err
	}
	return make(ctx)
}

// mark says whose something is.
func mark(r executor.Request) string { return "vivarium " + r.Environment + "/" + r.Step }

// values are outputs that everybody may see, unless they hold a secret of the request.
func values(r executor.Request, pairs map[string]string) executor.Outputs {
	outputs := executor.Outputs{}
	for name, v := range pairs {
		text, _ := json.Marshal(v) // a string always has a JSON form
		outputs[name] = executor.Value{Value: text, Sensitive: r.Holds(text)}
	}
	return outputs
}

// caller makes a client of HTTP that leaves no connection behind.
func caller(o Options) *http.Client {
	return &http.Client{Timeout: o.Timeout, Transport: transport(o)}
}

func transport(o Options) *http.Transport {
	return &http.Transport{DisableKeepAlives: true, DialContext: o.Dial, TLSClientConfig: o.roots}
}

// trusting checks the certificate of the step's server with these roots, in PEM; "" takes the system's.
func (o Options) trusting(r executor.Request, ca string) (Options, error) {
	if ca == "" {
		return o, nil
	}
	check, ok := keypair.Check(ca)
	if !ok {
		return o, fault.New(fault.GiveUp, fault.Invalid, "ca of %s is no certificate in PEM", r.Step)
	}
	o.roots = check
	return o, nil
}

// missing and other are differences that hold no values, since most of them are about secrets.
func missing(r executor.Request, path string) event.Difference {
	return event.Difference{Path: r.Mask(path), Change: event.ChangeCreate}
}

func other(r executor.Request, path string) event.Difference {
	return event.Difference{Path: r.Mask(path), Change: event.ChangeUpdate}
}
