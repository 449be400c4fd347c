package template

import (
	"fmt"

	"github.com/Masterminds/semver/v3"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/vivarium-env/vivarium/pkg/template/lang"
)

// attributes is the schema of a block with nothing but attributes.
func attributes(required []string, optional ...string) *hcl.BodySchema {
	schema := &hcl.BodySchema{}
	for _, name := range required {
		schema.Attributes = append(schema.Attributes, hcl.AttributeSchema{Name: name, Required: true})
	}
	for _, name := range optional {
		schema.Attributes = append(schema.Attributes, hcl.AttributeSchema{Name: name})
	}
	return schema
}

func (c *compiler) content(b *hclsyntax.Block, schema *hcl.BodySchema) *hcl.BodyContent {
	content, diags := b.Body.Content(schema)
	for _, d := range diags {
		// What is missing is pointed at in the block's first line, where one reads which block it is.
		if d.Summary == "Missing required argument" {
			d.Subject = b.DefRange().Ptr()
		}
	}
	c.add(diags...)
	return content
}

// constant evaluates an attribute that may refer to nothing; a null or absent one is cty.NilVal.
func (c *compiler) constant(attr *hcl.Attribute, want cty.Type) cty.Value {
	if attr == nil {
		return cty.NilVal
	}
	refs := lang.References(attr.Expr.(hclsyntax.Expression))
	if len(refs) > 0 {
		c.fail(refs[0].Range, "Not a constant", fmt.Sprintf("%q has to be a constant: it can't refer to %s.", attr.Name, refs[0]))
		return cty.NilVal
	}
	v, diags := attr.Expr.Value(&hcl.EvalContext{Functions: c.t.functions})
	c.add(diags...)
	if diags.HasErrors() || v.IsNull() {
		return cty.NilVal
	}
	v, _ = v.UnmarkDeep()
	v, err := lang.Convert(v, want, nil)
	if err == nil && !v.IsWhollyKnown() {
		return cty.NilVal // the parser has given up on this expression, and said so
	}
	if err != nil {
		c.fail(attr.Expr.Range(), "Wrong type", fmt.Sprintf("%q has to be a %s: %v.", attr.Name, want.FriendlyName(), err))
		return cty.NilVal
	}
	return v
}

func (c *compiler) text(attr *hcl.Attribute) string {
	if v := c.constant(attr, cty.String); v != cty.NilVal && !v.IsNull() {
		return v.AsString()
	}
	return ""
}

func (c *compiler) flag(attr *hcl.Attribute) bool {
	v := c.constant(attr, cty.Bool)
	return v != cty.NilVal && !v.IsNull() && v.True()
}

func (c *compiler) declareTemplate(b *hclsyntax.Block) {
	if c.sawTemplate != nil {
		c.fail(b.DefRange(), "Duplicate template", "A template has one template block, and there is one already, at "+place(*c.sawTemplate)+".")
		return
	}
	c.sawTemplate = b.DefRange().Ptr()
	if c.claim("template", b.Labels[0], b.LabelRanges[0]) {
		c.t.Name = b.Labels[0]
	}
	a := c.content(b, attributes([]string{"version"}, "description", "tags", "parallelism", "lifetime")).Attributes
	c.t.Version = c.text(a["version"])
	if _, err := semver.StrictNewVersion(c.t.Version); err != nil && c.t.Version != "" {
		c.fail(a["version"].Expr.Range(), "Invalid version", fmt.Sprintf("%q is not a semantic version such as \"1.2.0\".", c.t.Version))
	}
	c.t.Description = c.text(a["description"])
	c.t.Lifetime = c.lifetime(a["lifetime"])
	if tags := c.constant(a["tags"], cty.List(cty.String)); tags != cty.NilVal && !tags.IsNull() {
		for _, v := range tags.AsValueSlice() {
			if v.IsNull() {
				c.fail(a["tags"].Expr.Range(), "Invalid tags", "A tag can't be null.")
				continue
			}
			c.t.Tags = append(c.t.Tags, v.AsString())
		}
	}
	if n := c.constant(a["parallelism"], cty.Number); n != cty.NilVal && !n.IsNull() {
		limit, exact := n.AsBigFloat().Int64()
		if exact != 0 || limit < 1 || limit > 1_000_000 {
			c.fail(a["parallelism"].Expr.Range(), "Invalid parallelism", "It has to be a whole number from 1 to 1000000.")
			return
		}
		c.t.Parallelism = int(limit)
	}
}

func (c *compiler) requireTemplate() {
	if c.sawTemplate == nil && !c.diags.HasErrors() {
		start := hcl.Range{Filename: MainFile, Start: hcl.InitialPos, End: hcl.InitialPos}
		c.fail(start, "No template block", "Exactly one of the *.hcl files has to hold: template \"name\" { version = \"1.0.0\" }.")
	}
}
