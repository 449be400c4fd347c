package template

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/template/lang"
)

// Repeat says whether a block stands for several instances.
type Repeat string

const (
	ForEachRepeat Repeat = "for_each"
	CountRepeat   Repeat = "count"
)

// Block is a resource, an action, or a status endpoint of the environment.
type Block struct {
	Type                     environment.NodeType
	Kind                     *Kind
	Name, Group, Description string
	// RunOn says when an action runs; empty is environment.OnCreate alone.
	RunOn []environment.Occasion
	// Repeat and RepeatExpr are empty for a block that is one node.
	Repeat     Repeat
	RepeatExpr *Expr
	// Body is what Kind.Spec decodes; Needs is what its expressions refer to.
	Body  hcl.Body
	Needs *lang.Needs
	// Edges are the nodes, and the outputs of other templates and environments, that have to be there first. Consumes are
	// those outputs, and besides those that the status endpoint needs.
	Edges, Consumes []*lang.Reference
	// Outputs of the kind and of what Inspect found. Inputs are the members of "inputs", nil when anything goes.
	Outputs map[string]Output
	Inputs  map[string]Input
	// Bundle is the folder whose files the executor needs, "" for none, and BundleHash the hash of its contents.
	Bundle, BundleHash string
	// Commit is that of the git repository from which the bundle was fetched, "" for one of the template's own folder.
	Commit string
	// Uniform bodies evaluate to the same for all parameters and instances, outputs aside.
	Uniform bool
	Range   hcl.Range

	refs     []*lang.Reference
	settings settings
	element  cty.Value // each.value, as far as it is known to the compiler
	unknown  cty.Value // see pending
	open     bool      // what it puts out could not be found out, which was reported
}

// CommonAttributes are the attributes and blocks that every resource and action may have besides its kind's own.
var CommonAttributes = []string{
	"group", "description", "for_each", "count", "depends_on", "after", "pool", "timeout", "expiry", "idempotent", "retry", "status", "lifecycle", "run_on",
}

// onlyActions are those of them that only actions have; lifecycle is for resources alone.
var onlyActions = []string{"after", "run_on"}

var commonSchema = &hcl.BodySchema{
	Attributes: attributes(nil, "group", "description", "for_each", "count", "depends_on", "pool", "timeout", "expiry", "idempotent").Attributes,
	Blocks:     []hcl.BlockHeaderSchema{{Type: "retry"}, {Type: "status"}},
}

var resourceSchema = &hcl.BodySchema{
	Attributes: commonSchema.Attributes,
	Blocks:     append([]hcl.BlockHeaderSchema{{Type: "lifecycle"}}, commonSchema.Blocks...),
}

var actionSchema = &hcl.BodySchema{
	Attributes: append(attributes(nil, "after", "run_on").Attributes, commonSchema.Attributes...),
	Blocks:     commonSchema.Blocks,
}

// Key names the block within its template: resource.KIND.NAME, action.NAME or status.NAME.
func (b *Block) Key() string { return blockKey(b.root(), b.Kind.Name, b.Name) }

func (b *Block) root() string {
	switch b.Type {
	case environment.ActionNode:
		return lang.Action
	case environment.StatusNode:
		return Status
	}
	return lang.Resource
}

// PerInstance tells whether settings differ between the instances of a block.
func (b *Block) PerInstance() bool {
	for _, e := range b.settings.static() {
		for _, ref := range e.Refs {
			if ref.Root == lang.Each || ref.Root == lang.Count {
				return true
			}
		}
	}
	return false
}

// StatusRefs is what the address of the status endpoint, and the host asked for there, refer to. It makes no edges: it is evaluated once
// everything is applied, and mostly reads what the node itself put out.
func (b *Block) StatusRefs() []*lang.Reference {
	var refs []*lang.Reference
	for _, e := range b.settings.address() {
		refs = append(refs, e.Refs...)
	}
	return refs
}

// pending is the object of one instance before it was applied: its outputs are of known type only. The compiler asks
// for it once what the block puts out is known, and again for every mention of the block.
func (b *Block) pending() cty.Value {
	if b.unknown != cty.NilVal {
		return b.unknown
	}
	outputs := make(map[string]cty.Value, len(b.Outputs))
	for name, o := range b.Outputs {
		v := cty.UnknownVal(o.Type)
		if o.Sensitive {
			v = v.Mark(Sensitive)
		}
		outputs[name] = v
	}
	b.unknown = cty.ObjectVal(map[string]cty.Value{"outputs": cty.ObjectVal(outputs)})
	return b.unknown
}

func (c *compiler) declareBlock(h *hclsyntax.Block) {
	b := &Block{Type: environment.ResourceNode, Name: h.Labels[len(h.Labels)-1], Range: h.DefRange(), element: cty.DynamicVal}
	schema := resourceSchema
	kind := h.Labels[0]
	if h.Type == lang.Action {
		b.Type, kind, schema = environment.ActionNode, lang.Action, actionSchema
	}
	if b.Kind = c.kind(h, kind); b.Kind == nil {
		return
	}
	what := "action"
	if h.Type == lang.Resource {
		what = "resource \"" + kind + "\""
	}
	if !c.claim(what, b.Name, h.LabelRanges[len(h.Labels)-1]) {
		return
	}
	content, rest, diags := h.Body.PartialContent(schema)
	c.add(diags...)
	b.Body = rest
	c.common(b, content)
	c.bodyRefs(b, h.Body)
	c.t.blocks = append(c.t.blocks, b)
	c.t.blockOf[b.Key()] = b
}

// kind finds the executor's description, and says what there is when there is none.
func (c *compiler) kind(h *hclsyntax.Block, name string) *Kind {
	kind, known := c.kindOf[name]
	switch {
	case h.Type == lang.Resource && name == lang.Action:
		c.fail(h.LabelRanges[0], "Unknown kind of resource", "An action is not a resource; write: action \""+h.Labels[1]+"\" { ... }.")
		return nil
	case !known:
		c.t.lacking = append(c.t.lacking, name)
		kinds := slices.DeleteFunc(keysOf(c.kinds), func(k string) bool { return k == lang.Action })
		c.fail(h.DefRange(), "Unknown kind of resource", fmt.Sprintf("No executor carries out %q.%s%s", name, suggestion(name, kinds), listing("kinds", kinds)))
		return nil
	}
	return kind
}

// common takes what every block may have.
func (c *compiler) common(b *Block, content *hcl.BodyContent) {
	a := content.Attributes
	b.Description = c.text(a["description"])
	if b.Group = c.text(a["group"]); b.Group != "" {
		c.groupUses = append(c.groupUses, groupUse{b.Group, a["group"].Expr.Range()})
	}
	if a["for_each"] != nil && a["count"] != nil {
		c.fail(a["count"].NameRange, "for_each and count together", "A block has either for_each or count. The for_each is at "+place(a["for_each"].NameRange)+".")
	}
	for _, repeat := range []Repeat{CountRepeat, ForEachRepeat} {
		if attr := a[string(repeat)]; attr != nil {
			b.Repeat, b.RepeatExpr = repeat, c.expr(attr.Expr)
		}
	}
	if b.RepeatExpr != nil {
		c.checks = append(c.checks, check{refs: b.RepeatExpr.Refs, where: string(b.Repeat) + " of " + b.Key(), allow: allowStatic})
	}
	c.dependsOn(b, a["depends_on"])
	c.dependsOn(b, a["after"])
	b.RunOn = c.occasions(a["run_on"])
	c.declareSettings(b, content)
}

// occasions reads when an action runs. It is a constant, since what may be referred to depends on it.
func (c *compiler) occasions(attr *hcl.Attribute) []environment.Occasion {
	list := c.constant(attr, cty.List(cty.String))
	if list == cty.NilVal {
		return nil
	}
	known := make([]string, 0, len(environment.Occasions()))
	for _, o := range environment.Occasions() {
		known = append(known, string(o))
	}
	var all []environment.Occasion
	for _, v := range list.AsValueSlice() {
		switch {
		case v.IsNull() || !slices.Contains(known, v.AsString()):
			c.fail(attr.Expr.Range(), "Invalid run_on", "An action runs on "+strings.Join(known, ", ")+", or several of them: run_on = [\"create\", \"demand\"].")
			return nil
		case !slices.Contains(all, environment.Occasion(v.AsString())):
			all = append(all, environment.Occasion(v.AsString()))
		}
	}
	if len(all) == 0 {
		c.fail(attr.Expr.Range(), "Invalid run_on", "It is empty, so the action would never run.")
	}
	return all
}

// onCreate tells whether what the block puts out is there once the environment is made.
func (b *Block) onCreate() bool {
	return b.Type != environment.ActionNode || len(b.RunOn) == 0 || slices.Contains(b.RunOn, environment.OnCreate)
}

func (c *compiler) dependsOn(b *Block, attr *hcl.Attribute) {
	if attr == nil {
		return
	}
	list, ok := attr.Expr.(*hclsyntax.TupleConsExpr)
	if !ok {
		c.fail(attr.Expr.Range(), "Invalid dependencies", attr.Name+" has to be a list such as [resource.container.api, action.migrate].")
		return
	}
	for _, e := range list.Exprs {
		refs := lang.References(e)
		one := lang.SingleReference(e)
		if one == nil || one.Malformed == "" && (!one.IsNode() || one.Outputs) {
			c.fail(e.Range(), "Invalid dependency", attr.Name+" lists resources and actions, as in [resource.container.api, action.migrate].")
			continue
		}
		b.refs = append(b.refs, refs...)
	}
}

// bodyRefs collects what the kind's own part of the body refers to, and has all references of the block checked.
func (c *compiler) bodyRefs(b *Block, body *hclsyntax.Body) {
	taken := map[string]bool{}
	for _, name := range CommonAttributes {
		taken[name] = true
		if slices.Contains(onlyActions, name) {
			taken[name] = b.Type == environment.ActionNode
		} else if name == "lifecycle" {
			taken[name] = b.Type == environment.ResourceNode
		}
	}
	own := &hclsyntax.Body{Attributes: hclsyntax.Attributes{}, SrcRange: body.SrcRange, EndRange: body.EndRange}
	for name, attr := range body.Attributes {
		if !taken[name] {
			own.Attributes[name] = attr
		}
	}
	for _, nested := range body.Blocks {
		if !taken[nested.Type] {
			own.Blocks = append(own.Blocks, nested)
		}
	}
	refs := lang.References(own)
	if first := b.settings.createFirst; first != nil {
		refs = append(refs, first.Refs...)
	}
	b.Needs = lang.NewNeeds(refs)
	b.refs = append(b.refs, refs...)
	c.checks = append(c.checks, check{refs: b.refs, where: b.Key(), owner: b})
}

// uniform tells whether nothing but outputs of single nodes is referred to: then the compiler's look at the body is
// as good as one with the parameters and instances at hand.
func (c *compiler) uniform(b *Block) bool {
	for _, need := range b.Needs.Nodes {
		if of := c.t.Block(need.Root, need.Kind, need.Name); of == nil || of.Repeat != "" {
			return false
		}
	}
	return len(b.Needs.Values) == 0
}
