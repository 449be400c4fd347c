package plan

import (
	"encoding/json"
	"sync"

	"github.com/zclconf/go-cty/cty"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/secret"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// Request is what an environment is resolved from.
type Request struct {
	// Environment is its name.
	Environment string
	Templates   []*template.Template
	// Parameters by name; values may be sealed leaves, or hold some.
	Parameters map[string]json.RawMessage
	// Box seals and opens secrets. Without one, sealed parameters are refused, and secrets are written as
	// "(sensitive)": enough to look at a plan, not to carry it out.
	Box *secret.Box
	// Blind leaves secrets closed, for who may not learn them by asking: sealed values are unknown, and wait for what they are.
	Blind bool
	// Most is how many nodes there may be; 0 takes template.MaxInstances.
	Most int
}

// Outputs gives what a node put out when it was last applied: a JSON object whose sensitive members are sealed.
// ok is false for a node that was not applied yet. It is called from the goroutine that called the plan.
type Outputs = func(address string) (outputs json.RawMessage, ok bool)

// Plan is a resolved environment.
type Plan struct {
	request    Request
	scopes     []*scope
	byName     map[string]*scope
	order      []*instance
	byAddress  map[string]*instance
	nodes      []environment.Node
	parameters map[string]json.RawMessage
	bundles    map[string]bundleSource
	// passing are the nodes of outputs and entrypoints that use other environments.
	passing []environment.Node
}

// scope is one template with the environment's parameters.
type scope struct {
	plan   *Plan
	t      *template.Template
	params map[string]cty.Value
	locals map[string]cty.Value // the static ones
	groups map[*template.Block]*group
	// outputDeps are the nodes that each output depends on.
	outputDeps map[string][]*instance
	// consumes is what each output uses of other environments.
	consumes map[string][]environment.Consumption
}

// group is the instances of one block.
type group struct {
	scope *scope
	block *template.Block
	list  []*instance
	byKey map[string]*instance // nil unless the block is repeated

	once    sync.Once
	pending cty.Value // of all instances together, before anything is applied
}

// instance is one node on its way to an environment.Node.
type instance struct {
	group    *group
	each     template.Instance
	key      string // as text; "" without for_each and count
	address  string
	settings template.Settings
	place    int // in the order of discovery, then in the topological order
	deps     []*instance
	consumes []environment.Consumption
}

type bundleSource struct {
	t   *template.Template
	dir string
}

// Resolve checks the parameters, expands for_each and count, and orders the nodes. The error is a *fault.Error of
// disposition Reject that holds all mistakes found: InvalidParameter when the parameters are wrong, InvalidTemplate
// when the templates do not fit them or each other.
func Resolve(r Request) (*Plan, error) {
	p := &Plan{request: r, byName: map[string]*scope{}, byAddress: map[string]*instance{}, bundles: map[string]bundleSource{}}
	for _, step := range []func() *fault.Error{
		p.enter, p.readParameters, p.validate, p.checkOutputs, p.expand, p.checkMoves, p.connect, p.consume, p.check,
	} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	p.makeNodes()
	return p, nil
}

// enter makes a scope of every template.
func (p *Plan) enter() *fault.Error {
	if len(p.request.Templates) == 0 {
		return fault.New(fault.Reject, fault.Invalid, "an environment needs at least one template")
	}
	for _, t := range p.request.Templates {
		if first := p.byName[t.Name]; first != nil {
			return fault.New(fault.Reject, fault.Invalid, "template %q is given twice, as %s and as %s; an environment has it once",
				t.Name, first.t.Version, t.Version)
		}
		s := &scope{
			plan: p, t: t, params: map[string]cty.Value{}, locals: map[string]cty.Value{},
			groups: map[*template.Block]*group{}, outputDeps: map[string][]*instance{}, consumes: map[string][]environment.Consumption{},
		}
		p.scopes = append(p.scopes, s)
		p.byName[t.Name] = s
	}
	return nil
}

// Nodes are all nodes, each behind those that it depends on. The slice is for reading only.
func (p *Plan) Nodes() []environment.Node { return p.nodes }

// Parameters are the values in force, defaults included, as JSON; sensitive ones are sealed. A default that two
// templates have differently is left out, so that resolving again with these gives the same plan.
func (p *Plan) Parameters() map[string]json.RawMessage {
	all := make(map[string]json.RawMessage, len(p.parameters))
	for name, v := range p.parameters {
		all[name] = v
	}
	return all
}

// Templates says what the environment is made from, in the order of the request.
func (p *Plan) Templates() []environment.Template {
	list := make([]environment.Template, len(p.scopes))
	for i, s := range p.scopes {
		list[i] = s.t.Ref()
	}
	return list
}

// Parallelism is the smallest bound that a template sets, 0 when none does.
func (p *Plan) Parallelism() int {
	least := 0
	for _, s := range p.scopes {
		if n := s.t.Parallelism; n > 0 && (least == 0 || n < least) {
			least = n
		}
	}
	return least
}

// Approvals are the rules that the templates ask for.
func (p *Plan) Approvals() []environment.Approval {
	var list []environment.Approval
	for _, s := range p.scopes {
		list = append(list, s.t.Approvals()...)
	}
	return list
}

// Bundle packs the files that nodes name by their hash. Errors are *fault.Error.
func (p *Plan) Bundle(hash string) (*event.Bundle, error) {
	source, known := p.bundles[hash]
	if !known {
		return nil, fault.New(fault.GiveUp, fault.NotFound, "no node of the environment needs a bundle with the hash %.12s", hash)
	}
	return source.t.PackFolder(source.dir)
}
