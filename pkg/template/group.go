package template

import (
	"errors"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/graph"
)

// groupUse is where a block says that it belongs to a group, or a group that it depends on one.
type groupUse struct {
	name string
	rng  hcl.Range
}

func (c *compiler) declareGroup(b *hclsyntax.Block) {
	a := c.content(b, attributes(nil, "description", "depends_on")).Attributes
	if c.claim("group", b.Labels[0], b.LabelRanges[0]) {
		c.t.groups = append(c.t.groups, environment.Group{Name: b.Labels[0], Description: c.text(a["description"]), DependsOn: c.groupsOf(a["depends_on"])})
	}
}

// groupsOf reads a list of groups, each once.
func (c *compiler) groupsOf(attr *hcl.Attribute) []string {
	if attr == nil {
		return nil
	}
	const form = "depends_on of a group lists groups, as in [group.network]."
	list, ok := attr.Expr.(*hclsyntax.TupleConsExpr)
	if !ok {
		c.fail(attr.Expr.Range(), "Invalid dependencies", form)
		return nil
	}
	var names []string
	for _, e := range list.Exprs {
		name := groupName(e)
		if name == "" {
			c.fail(e.Range(), "Invalid dependency", form)
			continue
		}
		c.groupUses = append(c.groupUses, groupUse{name, e.Range()})
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// groupName reads group.NAME, "" where it is anything else.
func groupName(e hclsyntax.Expression) string {
	way, diags := hcl.AbsTraversalForExpr(e)
	if diags.HasErrors() || len(way) != 2 || way.RootName() != "group" {
		return ""
	}
	if name, ok := way[1].(hcl.TraverseAttr); ok {
		return name.Name
	}
	return ""
}

func (c *compiler) checkGroups() {
	declared := map[string]bool{}
	order := graph.New[string]()
	for _, g := range c.t.groups {
		declared[g.Name] = true
		for _, on := range g.DependsOn {
			order.AddEdge(g.Name, on)
		}
	}
	for _, use := range c.groupUses {
		if !declared[use.name] {
			_, detail := unknownName("group", use.name, keysOf(declared))
			c.fail(use.rng, "Unknown group", detail+" Declare it: group \""+use.name+"\" {}.")
		}
	}
	var cycle *graph.CycleError[string]
	if _, err := order.Order(); errors.As(err, &cycle) {
		c.fail(c.places["group "+cycle.Nodes[0]], "Groups in a circle", "These groups depend on each other, so none of them can be the first: "+
			strings.Join(append(cycle.Nodes, cycle.Nodes[0]), " -> ")+".")
	}
}
