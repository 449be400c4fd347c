package template

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/dynblock"
	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/vivarium-env/vivarium/pkg/template/lang"
)

// inputs is the attribute whose members Inspect describes.
const inputs = "inputs"

// evaluateBlock looks for mistakes in a block with the types of all that it refers to.
func (c *compiler) evaluateBlock(b *Block) {
	if b.RepeatExpr != nil {
		v := c.value(b.RepeatExpr, b)
		_, diags := b.Repeat.Keys(v, b.RepeatExpr.Range())
		c.add(diags...)
		b.element = elementType(v)
	}
	eval := func(e *Expr) (cty.Value, hcl.Diagnostics) {
		v, diags := e.Value(e.Needs.Context(compileScope{c: c, block: b}, c.t.functions))
		return v, diags
	}
	_, diags := b.Settings(eval)
	c.add(diags...)
	_, diags = b.Endpoint(eval)
	c.add(diags...)
	_, diags = b.Decode(b.Needs.Context(compileScope{c: c, block: b}, c.t.functions))
	for _, d := range diags {
		c.suggestCommon(b, d)
	}
	c.add(diags...)
}

// suggestCommon adds to an error about an unknown attribute the common one that may have been meant: the decoder of
// the kind's own part knows only the kind's.
func (c *compiler) suggestCommon(b *Block, d *hcl.Diagnostic) {
	body, ok := b.Body.(*hclsyntax.Body)
	if !ok || d.Subject == nil || strings.Contains(d.Detail, "Did you mean") {
		return
	}
	for name, attr := range body.Attributes {
		if attr.NameRange == *d.Subject {
			d.Detail += suggestion(name, CommonAttributes)
		}
	}
}

// elementType stands for each.value.
func elementType(v cty.Value) cty.Value {
	secret := lang.IsSensitive(v)
	v, _ = v.UnmarkDeep()
	element := cty.DynamicPseudoType
	if t := v.Type(); t.IsMapType() || t.IsSetType() {
		element = t.ElementType()
	}
	unknown := cty.UnknownVal(element)
	if secret {
		return unknown.Mark(Sensitive)
	}
	return unknown
}

// Decode evaluates the body and fits its inputs to what Inspect found. The value is an object as Kind.Spec describes.
func (b *Block) Decode(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	v, diags := hcldec.Decode(dynblock.Expand(b.Body, ctx), b.Kind.Spec, ctx)
	if diags.HasErrors() {
		for _, d := range diags {
			if d.Subject != nil && *d.Subject == b.Body.MissingItemRange() {
				d.Subject = b.Range.Ptr() // where one reads which block it is
			}
		}
		return cty.DynamicVal, diags
	}
	if b.Kind.Check != nil {
		if found := b.Kind.Check(v); found.HasErrors() {
			for _, d := range found {
				if d.Subject == nil {
					d.Subject = b.Range.Ptr()
				}
			}
			return cty.DynamicVal, append(diags, found...)
		}
	}
	v, more := b.ordered(v, ctx)
	if diags = append(diags, more...); more.HasErrors() {
		return cty.DynamicVal, diags
	}
	if b.Inputs == nil || !v.Type().HasAttribute(inputs) {
		return v, diags
	}
	given, more := b.fitInputs(v.GetAttr(inputs))
	diags = append(diags, more...)
	members := v.AsValueMap()
	members[inputs] = given
	return cty.ObjectVal(members), diags
}

// fitInputs converts every input to its type; the result is an object, or unknown.
func (b *Block) fitInputs(given cty.Value) (cty.Value, hcl.Diagnostics) {
	where := b.inputsExpr()
	plain, marks := given.Unmark()
	if t := plain.Type(); t != cty.DynamicPseudoType && !t.IsObjectType() && !t.IsMapType() {
		return given, hcl.Diagnostics{errorAt(b.rangeOf(where, ""), "Wrong type", "\"inputs\" has to be an object: inputs = { name = value }.")}
	}
	if !plain.IsKnown() && !plain.Type().IsObjectType() {
		return given, nil
	}
	members := map[string]cty.Value{}
	switch {
	case plain.IsNull():
	case !plain.IsKnown():
		for name, t := range plain.Type().AttributeTypes() {
			members[name] = cty.UnknownVal(t)
		}
	default:
		for name, v := range plain.AsValueMap() {
			members[name] = v
		}
	}
	diags := b.fitMembers(members, where)
	return cty.ObjectVal(members).WithMarks(marks), diags
}

func (b *Block) fitMembers(members map[string]cty.Value, where hclsyntax.Expression) hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, name := range keysOf(members) {
		input, known := b.Inputs[name]
		if !known {
			diags = append(diags, errorAt(b.rangeOf(where, name), "Unknown input", fmt.Sprintf("%s has no input %q.%s%s",
				b.Key(), name, suggestion(name, keysOf(b.Inputs)), listing("inputs", keysOf(b.Inputs)))))
			continue
		}
		v, err := lang.Convert(members[name], input.Type, nil)
		if err != nil {
			diags = append(diags, errorAt(b.rangeOf(where, name), "Wrong type of an input", fmt.Sprintf("Input %q of %s: %v.", name, b.Key(), err)))
			continue
		}
		if input.Sensitive {
			v = v.Mark(Sensitive)
		}
		members[name] = v
	}
	for _, name := range keysOf(b.Inputs) {
		if _, given := members[name]; b.Inputs[name].Required && !given {
			diags = append(diags, errorAt(b.rangeOf(where, ""), "Missing input", fmt.Sprintf("%s needs the input %q, a %s.",
				b.Key(), name, b.Inputs[name].Type.FriendlyNameForConstraint())))
		}
	}
	return diags
}

// inputsExpr is where the inputs are written, nil where they are left out.
func (b *Block) inputsExpr() hclsyntax.Expression {
	content, _, _ := b.Body.PartialContent(attributes(nil, inputs))
	if attr := content.Attributes[inputs]; attr != nil {
		return attr.Expr.(hclsyntax.Expression)
	}
	return nil
}

// rangeOf is where one input is written, or all of them, or the block.
func (b *Block) rangeOf(where hclsyntax.Expression, member string) hcl.Range {
	if where == nil {
		return b.Range
	}
	if object, ok := where.(*hclsyntax.ObjectConsExpr); ok && member != "" {
		for _, item := range object.Items {
			key, diags := item.KeyExpr.Value(nil)
			if !diags.HasErrors() && key.Type() == cty.String && key.IsKnown() && !key.IsNull() && key.AsString() == member {
				return item.KeyExpr.Range()
			}
		}
	}
	return where.Range()
}
