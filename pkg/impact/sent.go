package impact

import (
	"context"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/bundle"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/plan"
	"github.com/vivarium-env/vivarium/pkg/secret"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// Bounds of what strangers send.
const (
	sentAtOnce = 2      // templates in memory
	sentNodes  = 20_000 // of an environment
)

// OfSent is Of for a packed folder that somebody has sent, whose template has to have this name. Who asks may be anybody who reads, so
// no secret of an environment is opened: what depends on one is unknown, or the environment has an error that says so. Nothing is
// fetched for the template. Few are looked at at once, others wait.
func (x *Examiner) OfSent(ctx context.Context, name string, packed []byte, q Question) (environment.Template, Page, error) {
	select {
	case x.sent <- struct{}{}:
		defer func() { <-x.sent }()
	case <-ctx.Done():
		return environment.Template{}, Page{}, fault.From(ctx.Err())
	}
	t, err := x.unpack(name, packed)
	if err != nil {
		return environment.Template{}, Page{}, err
	}
	q.Template, q.blind = t, true
	p, err := x.Of(ctx, q)
	return t.Ref(), p, err
}

func (x *Examiner) unpack(name string, packed []byte) (*template.Template, error) {
	b, err := bundle.Take(packed)
	if err != nil {
		return nil, err
	}
	files, err := bundle.FS(b)
	if err != nil {
		return nil, err
	}
	t, err := template.Compile(files, "", x.Sent)
	if err != nil {
		return nil, err
	}
	if t.Name != name {
		return nil, fault.New(fault.Reject, fault.Invalid, "the folder holds template %q, not %q", t.Name, name)
	}
	return t, nil
}

// blindly is a resolver that does not let anybody find out secrets by guessing: what was applied with one is like nothing else.
type blindly struct {
	environment.Resolver
	secret map[string]bool // fingerprints
}

func blind(r environment.Resolver, s *environment.State) blindly {
	b := blindly{r, map[string]bool{}}
	for _, n := range s.Nodes {
		if len(n.Inputs) == 0 || strings.Contains(string(n.Inputs), `"`+secret.Field+`"`) {
			b.secret[n.Applied] = true
		}
	}
	return b
}

func (b blindly) Inputs(address string, outputs plan.Outputs) (environment.Inputs, error) {
	return b.shut(b.Resolver.Inputs(address, outputs))
}

func (b blindly) Proposal(address string, outputs plan.Outputs) (environment.Inputs, error) {
	return b.shut(b.Resolver.Proposal(address, outputs))
}

func (b blindly) shut(in environment.Inputs, err error) (environment.Inputs, error) {
	if b.secret[in.Fingerprint] {
		in.Fingerprint = ""
	}
	return in, err
}
