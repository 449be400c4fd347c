package orchestrator

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"sync"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/plan"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// planCache keeps the plans of environments in which something is under way. It is shared by all partitions.
type planCache struct {
	orchestrator *Orchestrator
	mu           sync.Mutex
	plans        map[string]*plan.Plan
	lacking      map[string]error // of templates, by their hash, of which this server does not have a kind; that takes another server
}

func (c *planCache) put(name string, p *plan.Plan) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.plans == nil {
		c.plans = map[string]*plan.Plan{}
	}
	c.plans[name] = p
}

func (c *planCache) drop(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.plans, name)
}

// cached finds a plan that is kept, nil when it is not.
func (c *planCache) cached(name string) *plan.Plan {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.plans[name]
}

// get makes a plan again, after a restart, from the templates as they were when the environment was made and from its
// recorded parameters.
func (c *planCache) get(ctx context.Context, s *environment.State) (*plan.Plan, error) {
	if p := c.cached(s.Name); p != nil {
		return p, nil
	}
	templates := make([]*template.Template, 0, len(s.Templates))
	for _, meta := range s.Templates {
		t, err := c.template(ctx, meta)
		if err != nil {
			return nil, err
		}
		templates = append(templates, t)
	}
	p, err := plan.Resolve(plan.Request{Environment: s.Name, Templates: templates, Parameters: s.Parameters, Box: c.orchestrator.Box})
	if err != nil {
		return nil, fmt.Errorf("resolve %s again: %w", s.Name, err)
	}
	c.put(s.Name, p)
	return p, nil
}

func (c *planCache) template(ctx context.Context, meta environment.Template) (*template.Template, error) {
	if err := c.lacks(meta.Hash); err != nil {
		return nil, err
	}
	kept, err := c.orchestrator.Store.Template(ctx, meta.Hash)
	if err != nil {
		return nil, fault.Wrap(err, fault.Retry, fault.NotFound, "template %s@%s as it was (%s) can't be read from the store", meta.Name, meta.Version, meta.Hash)
	}
	return c.unpacked(meta, kept.Archive)
}

func (c *planCache) unpacked(meta environment.Template, archive []byte) (*template.Template, error) {
	t, err := template.FromArchive(&event.Bundle{Hash: meta.Hash, Data: archive}, meta, c.scratch(), c.orchestrator.Kinds)
	if fault.Is(err, fault.ExecutorUnknown) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.lacking == nil {
			c.lacking = map[string]error{}
		}
		c.lacking[meta.Hash] = err
	}
	return t, err
}

func (c *planCache) scratch() string { return filepath.Join(c.orchestrator.ScratchDir, "templates") }

func (c *planCache) lacks(hash string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lacking[hash]
}

// bundle packs files of a template that an environment was made from once.
func (c *planCache) bundle(ctx context.Context, templateHash, hash string) (*event.Bundle, error) {
	kept, err := c.orchestrator.Store.Template(ctx, templateHash)
	if err != nil {
		return nil, fault.Wrap(err, fault.Retry, fault.NotFound, "the template %.12s, which the files come from, can't be read from the store", templateHash)
	}
	t, err := template.FilesFromArchive(&event.Bundle{Hash: kept.Hash, Data: kept.Archive}, kept.Template, c.scratch(), c.orchestrator.Kinds)
	if err != nil {
		return nil, err
	}
	return t.PackBundle(hash)
}

// resolver is what the decider evaluates with. The plan behind it is looked for when it is first needed: most inputs
// need none.
type resolver struct {
	find func() (*plan.Plan, error)
}

func (t *turn) resolver(name string) environment.Resolver {
	return resolver{find: func() (*plan.Plan, error) {
		if p := t.executing[name]; p != nil {
			return p, nil
		}
		return t.plan(name)
	}}
}

func (t *turn) resolverOf(p *plan.Plan, name string) environment.Resolver {
	if p == nil {
		return t.resolver(name)
	}
	return resolver{find: func() (*plan.Plan, error) { return p, nil }}
}

// former is what the environment is evaluated with as it is, whatever is being thought of.
func (t *turn) former(name string) environment.Resolver {
	return resolver{find: func() (*plan.Plan, error) { return t.plan(name) }}
}

func (t *turn) around(name string, r environment.Resolver) environment.Surroundings {
	return environment.Surroundings{Resolver: r, Before: t.former(name), Pool: t.p.askedPool, State: t.stateReader(name), Consumed: t.consumed, Uses: t.askedUses, Again: t.keptPlan(name), Hold: t.p.held(), Lacks: lacks(r)}
}

type recorded = func(string) (json.RawMessage, bool)

func (r resolver) Inputs(address string, outputs recorded) (environment.Inputs, error) {
	p, err := r.find()
	if err != nil {
		return environment.Inputs{}, err
	}
	return p.Inputs(address, outputs)
}

func (r resolver) Proposal(address string, outputs recorded) (environment.Inputs, error) {
	p, err := r.find()
	if err != nil {
		return environment.Inputs{}, err
	}
	return p.Proposal(address, outputs)
}

func (r resolver) Endpoint(address string, outputs recorded) (*event.Endpoint, error) {
	p, err := r.find()
	if err != nil {
		return nil, err
	}
	return p.Endpoint(address, outputs)
}

func (r resolver) Outputs(outputs recorded) (json.RawMessage, error) {
	p, err := r.find()
	if err != nil {
		return nil, err
	}
	return p.Outputs(outputs)
}

func (r resolver) Entrypoints(outputs recorded) ([]environment.Entrypoint, error) {
	p, err := r.find()
	if err != nil {
		return nil, err
	}
	return p.Entrypoints(outputs)
}
