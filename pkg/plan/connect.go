package plan

import (
	"errors"
	"slices"

	"github.com/hashicorp/hcl/v2"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/graph"
	"github.com/vivarium-env/vivarium/pkg/template"
	"github.com/vivarium-env/vivarium/pkg/template/lang"
)

// crossReferences are all references to outputs of other templates.
func (s *scope) crossReferences() [][]*lang.Reference {
	var lists [][]*lang.Reference
	take := func(refs []*lang.Reference) {
		var kept []*lang.Reference
		for _, ref := range refs {
			if ref.Root == lang.Template {
				kept = append(kept, ref)
			}
		}
		if len(kept) > 0 {
			lists = append(lists, kept)
		}
	}
	for _, l := range s.t.Locals() {
		take(l.Expr.Refs)
	}
	for _, b := range s.t.Blocks() {
		take(b.Edges)
		take(b.StatusRefs())
	}
	for _, o := range s.t.OutputValues() {
		take(o.Value.Refs)
	}
	for _, e := range s.t.EntrypointBlocks() {
		take(e.URL.Refs)
	}
	return lists
}

// checkOutputCycles finds outputs that are made of each other.
func (p *Plan) checkOutputCycles() *fault.Error {
	g := graph.New[string]()
	for _, s := range p.scopes {
		for _, o := range s.t.OutputValues() {
			from := lang.Template + "." + s.t.Name + ".outputs." + o.Name
			g.AddNode(from)
			for _, ref := range o.Edges {
				if ref.Root == lang.Template {
					g.AddEdge(from, ref.String()+".outputs."+ref.Attr)
				}
			}
		}
	}
	if _, err := g.Order(); err != nil {
		return circle(err)
	}
	return nil
}

func circle(err error) *fault.Error {
	return fault.New(fault.Reject, fault.InvalidTemplate, "these depend on each other in a circle, so none of them can be the first: %s", err)
}

// connect finds what every instance depends on, and orders them.
func (p *Plan) connect() *fault.Error {
	g := graph.New[int]()
	for i := range p.order {
		g.AddNode(i)
	}
	for _, inst := range p.order {
		inst.deps = append(inst.deps, inst.dependencies()...)
	}
	because, fault := p.connectGroups()
	if fault != nil {
		return fault
	}
	for _, inst := range p.order {
		for _, dep := range inst.deps {
			g.AddEdge(inst.place, dep.place)
		}
	}
	order, err := g.Order()
	var cycle *graph.CycleError[int]
	if errors.As(err, &cycle) {
		named := &graph.CycleError[string]{}
		for _, n := range cycle.Nodes {
			named.Nodes = append(named.Nodes, p.order[n].address)
		}
		return because.explain(circle(named), p.order, cycle.Nodes)
	}
	sorted := make([]*instance, len(order))
	for place, n := range order {
		sorted[place] = p.order[n]
	}
	p.order = sorted
	for place, inst := range p.order {
		inst.place = place
	}
	return nil
}

// dependencies of an instance, each once. Those of a block without chosen instances are worked out once for all.
func (i *instance) dependencies() []*instance {
	g := i.group
	if !slices.ContainsFunc(g.block.Edges, func(ref *lang.Reference) bool { return ref.Key != nil }) {
		if first := g.list[0]; first != i {
			return first.deps
		}
	}
	e := &evaluation{scope: g.scope, inst: i}
	return e.nodes(g.block.Edges)
}

// nodes are the instances that references lead to, each once.
func (e *evaluation) nodes(edges []*lang.Reference) []*instance {
	var list []*instance
	seen := map[*instance]bool{}
	take := func(found ...*instance) {
		for _, inst := range found {
			if !seen[inst] {
				seen[inst] = true
				list = append(list, inst)
			}
		}
	}
	for _, ref := range edges {
		if ref.Root == lang.Template {
			take(e.scope.plan.byName[ref.Name].outputNodes(ref.Attr)...)
			continue
		}
		if !ref.IsNode() {
			continue // of another environment
		}
		g := e.scope.groups[e.scope.t.Block(ref.Root, ref.Kind, ref.Name)]
		key, known := e.key(ref)
		switch {
		case !known:
			take(g.list...)
		case g.byKey[key] != nil:
			take(g.byKey[key])
		}
	}
	return list
}

// outputNodes are the instances that an output of this template depends on. That outputs are not made of each other
// was checked before.
func (s *scope) outputNodes(name string) []*instance {
	if list, known := s.outputDeps[name]; known {
		return list
	}
	e := &evaluation{scope: s}
	list := e.nodes(s.t.OutputValue(name).Edges)
	s.outputDeps[name] = list
	return list
}

// makeNodes writes down the instances in their order.
func (p *Plan) makeNodes() {
	p.nodes = make([]environment.Node, len(p.order))
	for _, inst := range p.order {
		slices.SortFunc(inst.deps, func(a, b *instance) int { return a.place - b.place })
	}
	for place, inst := range p.order {
		b := inst.group.block
		node := environment.Node{
			Address: inst.address, Type: b.Type, Template: inst.group.scope.t.Name, Executor: b.Kind.Name, Name: b.Name,
			Key: inst.key, Group: b.Group, Pool: inst.settings.Pool, Timeout: inst.settings.Timeout, Expiry: inst.settings.Expiry, Retry: inst.settings.Retry,
			Consumes: inst.consumes, Probed: b.Probed(), Probe: b.Probe(), RunOn: b.RunOn, Bundle: b.BundleHash, Commit: b.Commit, Description: b.Description,
		}
		node.PreventDestroy, node.Retain = inst.settings.PreventDestroy, inst.settings.Retain
		if node.Idempotent = b.Kind.Idempotent; inst.settings.Idempotent != nil {
			node.Idempotent = *inst.settings.Idempotent
		}
		if node.Bundle != "" {
			node.TemplateHash = inst.group.scope.t.Hash
		}
		if node.Retry == nil {
			node.Retry = b.Kind.Retry
		}
		if node.Timeout == 0 {
			node.Timeout = b.Kind.Timeout
		}
		for _, dep := range inst.deps {
			node.DependsOn = append(node.DependsOn, dep.address)
		}
		if b.BundleHash != "" {
			p.bundles[b.BundleHash] = bundleSource{inst.group.scope.t, b.Bundle}
		}
		p.nodes[place] = node
	}
	p.nodes = append(p.nodes, p.passing...)
}

// check evaluates everything as far as it can be before anything is applied, for mistakes that only parameters and
// instances bring to light.
func (p *Plan) check() *fault.Error {
	var ps problems
	for _, inst := range p.order {
		b := inst.group.block
		e := &evaluation{scope: inst.group.scope, inst: inst}
		if !b.Uniform {
			_, diags := b.Decode(e.context(b.Needs))
			ps.addHCL(e.scope.t, append(diags, e.diags...))
		}
		if b.Probed() {
			_, diags := b.Endpoint(e.value)
			ps.addHCL(e.scope.t, diags)
		}
		if len(ps) >= maxProblems {
			break
		}
	}
	for _, s := range p.scopes {
		ps.addHCL(s.t, s.checkShown())
	}
	return ps.fault(fault.Reject, fault.InvalidTemplate, "the templates do not go with these parameters")
}

func (s *scope) checkShown() hcl.Diagnostics {
	var all hcl.Diagnostics
	for _, o := range s.t.OutputValues() {
		e := &evaluation{scope: s}
		_, diags := e.output(o)
		all = append(all, diags...)
	}
	for _, entry := range s.t.EntrypointBlocks() {
		_, diags := s.address(entry, nil)
		all = append(all, diags...)
	}
	return all
}

func (s *scope) address(entry *template.EntrypointBlock, outputs Outputs) (string, hcl.Diagnostics) {
	e := &evaluation{scope: s, outputs: outputs}
	v, diags := e.value(entry.URL)
	if diags.HasErrors() {
		return "", diags
	}
	url, more := entry.Address(v)
	return url, append(diags, more...)
}
