package template

import (
	"net/url"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/vivarium-env/vivarium/pkg/template/lang"
)

func (c *compiler) declareOutput(b *hclsyntax.Block) {
	a := c.content(b, attributes([]string{"value"}, "description", "sensitive")).Attributes
	o := &OutputValue{Name: b.Labels[0], Description: c.text(a["description"]), Sensitive: c.flag(a["sensitive"])}
	if !c.claim("output", o.Name, b.LabelRanges[0]) || a["value"] == nil {
		return
	}
	o.Value = c.expr(a["value"].Expr)
	c.t.outputs = append(c.t.outputs, o)
	c.t.outputOf[o.Name] = o
	c.checks = append(c.checks, check{refs: o.Value.Refs, where: "an output"})
}

func (c *compiler) declareEntrypoint(b *hclsyntax.Block) {
	a := c.content(b, attributes([]string{"url"}, "description")).Attributes
	e := &EntrypointBlock{Name: b.Labels[0], Description: c.text(a["description"])}
	if !c.claim("entrypoint", e.Name, b.LabelRanges[0]) || a["url"] == nil {
		return
	}
	e.URL = c.expr(a["url"].Expr)
	c.t.entrypoints = append(c.t.entrypoints, e)
	c.checks = append(c.checks, check{refs: e.URL.Refs, where: "an entrypoint"})
}

func (c *compiler) evaluateEntrypoint(e *EntrypointBlock) {
	_, diags := e.Address(c.value(e.URL, nil))
	c.add(diags...)
}

// Address reads the evaluated URL of an entrypoint; "" while it is unknown.
func (e *EntrypointBlock) Address(v cty.Value) (string, hcl.Diagnostics) {
	fail := func(detail string) (string, hcl.Diagnostics) {
		return "", hcl.Diagnostics{errorAt(e.URL.Range(), "Invalid entrypoint", detail)}
	}
	if lang.IsSensitive(v) {
		return fail("The address is sensitive, and an entrypoint is shown to people. nonsensitive() says that it is not a secret.")
	}
	v, _ = v.UnmarkDeep()
	v, err := lang.Convert(v, cty.String, nil)
	switch {
	case err != nil:
		return fail("The address has to be a text: " + err.Error() + ".")
	case !v.IsKnown():
		return "", nil
	case v.IsNull():
		return fail("The address is null.")
	}
	if at, err := url.Parse(v.AsString()); err != nil || at.Scheme == "" || at.Host == "" && at.Opaque == "" {
		return fail("The address has to be a whole URL, such as https://notes.example.test.")
	}
	return v.AsString(), nil
}
