package template

import (
	"errors"
	"slices"
	"sort"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/vivarium-env/vivarium/pkg/graph"
	"github.com/vivarium-env/vivarium/pkg/template/lang"
)

// localState is how far the evaluation of a local value is, while the template is compiled.
type localState struct {
	begun bool
	value cty.Value
}

func (c *compiler) declareLocals(b *hclsyntax.Block) {
	attrs, diags := b.Body.JustAttributes()
	c.add(diags...)
	list := make([]*hcl.Attribute, 0, len(attrs))
	for _, a := range attrs {
		list = append(list, a)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Range.Start.Byte < list[j].Range.Start.Byte })
	for _, a := range list {
		if !c.claim("local value", a.Name, a.NameRange) {
			continue
		}
		l := &LocalValue{Name: a.Name, Expr: c.expr(a.Expr), rng: a.NameRange}
		c.t.locals = append(c.t.locals, l)
		c.t.localOf[l.Name] = l
		c.checks = append(c.checks, check{refs: l.Expr.Refs, where: "a local value"})
	}
}

// orderLocals sorts local values behind what they refer to, finds cycles among them and the nodes, and notes which
// of them are known before anything is applied.
func (c *compiler) orderLocals() {
	g := graph.New[string]()
	ranges := map[string]hcl.Range{}
	for _, l := range c.t.locals {
		name := lang.Local + "." + l.Name
		g.AddNode(name)
		ranges[name] = l.rng
		c.edges(g, name, l.Expr.Refs)
	}
	for _, b := range c.t.blocks {
		g.AddNode(b.Key())
		ranges[b.Key()] = b.Range
		c.edges(g, b.Key(), b.refs)
	}
	order, err := g.Order()
	var cycle *graph.CycleError[string]
	if errors.As(err, &cycle) {
		c.fail(ranges[cycle.Nodes[0]], "Cycle", "These depend on each other in a circle, so none of them can be the first: "+cycle.Error()[len("cycle: "):]+".")
		return
	}
	place := make(map[string]int, len(order))
	for i, name := range order {
		place[name] = i
	}
	sort.SliceStable(c.t.locals, func(i, j int) bool {
		return place[lang.Local+"."+c.t.locals[i].Name] < place[lang.Local+"."+c.t.locals[j].Name]
	})
}

// edges leaves out references to one instance of several: whether those make a circle is known when the instances
// are, and is looked at then.
func (c *compiler) edges(g *graph.Graph[string], from string, refs []*lang.Reference) {
	for _, ref := range refs {
		switch {
		case ref.Malformed != "":
		case ref.Root == lang.Local:
			g.AddEdge(from, ref.String())
		case ref.IsNode() && ref.Key == nil:
			g.AddEdge(from, ref.String())
		}
	}
}

// closeEdges gives every local value, node and output what it depends on, through local values too.
func (c *compiler) closeEdges() {
	for _, l := range c.t.locals {
		l.Edges = c.close(l.Expr.Refs)
		l.Static = len(l.Edges) == 0
	}
	for _, b := range c.t.blocks {
		b.Edges = c.close(b.refs)
		b.Consumes = c.consumptions(append(slices.Clone(b.refs), b.StatusRefs()...))
		b.Uniform = c.uniform(b)
		if b.RepeatExpr != nil {
			c.forbidPending(b.RepeatExpr.Refs, string(b.Repeat)+" of "+b.Key())
		}
		for _, e := range b.settings.static() {
			c.forbidPending(e.Refs, "a setting of "+b.Key())
		}
	}
	for _, o := range c.t.outputs {
		o.Edges = c.close(o.Value.Refs)
	}
	for _, e := range c.t.entrypoints {
		e.Edges = c.close(e.URL.Refs)
	}
	c.checkNames()
}

// close collects the nodes, and the outputs of other templates and environments, that references lead to.
func (c *compiler) close(refs []*lang.Reference) []*lang.Reference {
	var edges []*lang.Reference
	seen := map[string]bool{}
	take := func(ref *lang.Reference) {
		if ref.IsNode() && c.pendingKey(ref) {
			ref.Key = nil
		}
		key := ref.String() + " " + ref.Attr
		if ref.IsNode() {
			key = ref.String()
		}
		if ref.Key == nil {
			if seen[key] {
				return
			}
			seen[key] = true
		}
		edges = append(edges, ref)
	}
	for _, ref := range refs {
		switch {
		case ref.Malformed != "":
		case ref.IsNode(), ref.Root == lang.Template, ref.IsConsumption():
			take(ref)
		case ref.Root == lang.Local:
			for _, edge := range c.t.localOf[ref.Name].Edges {
				take(edge)
			}
		}
	}
	return edges
}

// pendingKey tells whether the index of a reference depends itself on what nodes put out.
func (c *compiler) pendingKey(ref *lang.Reference) bool {
	if ref.Key == nil {
		return false
	}
	for _, in := range lang.References(ref.Key) {
		if in.IsNode() || in.Root == lang.Template || in.Root == lang.Local && c.t.localOf[in.Name] != nil && !c.t.localOf[in.Name].Static {
			return true
		}
	}
	return false
}

// forbidPending refuses local values that depend on outputs where the value is needed before anything is applied.
func (c *compiler) forbidPending(refs []*lang.Reference, where string) {
	for _, ref := range refs {
		if ref.Root != lang.Local || ref.Malformed != "" {
			continue
		}
		if l := c.t.localOf[ref.Name]; !l.Static {
			_, detail := c.wrong(check{where: where, allow: allowStatic}, l.Edges[0])
			c.fail(ref.Range, "Reference not allowed here", detail[:len(detail)-1]+", as "+ref.String()+" does.")
		}
	}
}

// evaluateLocal is the value as far as it is known at compile time. In a circle, which was reported, it is unknown.
func (c *compiler) evaluateLocal(l *LocalValue) cty.Value {
	if !l.state.begun {
		l.state.begun = true
		l.state.value = cty.DynamicVal
		l.state.value = c.value(l.Expr, nil)
	}
	return l.state.value
}
