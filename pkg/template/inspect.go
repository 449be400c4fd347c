package template

import (
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/template/lang"
)

// inspections are what was found for a kind and its static values, so that a module that a thousand resources use is
// looked at once.
type inspections map[string]Inspection

// inspect learns the inputs and outputs that depend on what the block refers to.
func (c *compiler) inspect(b *Block) {
	if b.Kind.Inspect == nil {
		return
	}
	request, ok := c.inspectRequest(b)
	if !ok {
		b.open = true
		return
	}
	key := inspectionKey(b.Kind.Name, request.Static)
	found, known := c.seen[key]
	if !known {
		var diags hcl.Diagnostics
		found, diags = b.Kind.Inspect(request)
		c.add(diags...)
		if diags.HasErrors() {
			b.open = true
			return
		}
		c.seen[key] = found
	}
	c.inspected(b, found, request)
}

// inspectRequest evaluates what the kind wants to know; ok is false when that is not possible, which was reported.
func (c *compiler) inspectRequest(b *Block) (r InspectRequest, ok bool) {
	r = InspectRequest{Root: c.t.files, Dir: c.dir, Static: map[string]cty.Value{}, Ranges: map[string]hcl.Range{}}
	spec := hcldec.ObjectSpec{}
	schema := &hcl.BodySchema{}
	ok = true
	for _, name := range b.Kind.Static {
		spec[name] = b.Kind.Spec[name]
		schema.Attributes = append(schema.Attributes, hcl.AttributeSchema{Name: name})
		r.Ranges[name] = b.Range
	}
	content, _, _ := b.Body.PartialContent(schema)
	for name, attr := range content.Attributes {
		r.Ranges[name] = attr.Expr.Range()
		ok = c.isStatic(b, name, attr) && ok
	}
	if !ok {
		return r, false
	}
	ctx := b.Needs.Context(compileScope{c: c, block: b}, c.t.functions)
	v, _, diags := hcldec.PartialDecode(b.Body, spec, ctx)
	if diags.HasErrors() {
		return r, false // reported when the body as a whole is evaluated
	}
	for _, name := range b.Kind.Static {
		plain, _ := v.GetAttr(name).UnmarkDeep()
		if !plain.IsWhollyKnown() {
			c.fail(r.Ranges[name], "Not a constant", fmt.Sprintf("%q has to be known when the template is compiled.", name))
			return r, false
		}
		r.Static[name] = plain
	}
	return r, true
}

func (c *compiler) isStatic(b *Block, name string, attr *hcl.Attribute) bool {
	for _, ref := range lang.References(attr.Expr.(hclsyntax.Expression)) {
		if ref.Root == lang.Local {
			switch l := c.t.localOf[ref.Name]; {
			case l == nil:
				return false // reported where references are checked
			case l.Static:
				continue
			}
		}
		c.fail(ref.Range, "Not a constant", fmt.Sprintf("%q of %s is looked at when the template is compiled, so it can't depend on %s.", name, b.Key(), ref))
		return false
	}
	return true
}

func inspectionKey(kind string, static map[string]cty.Value) string {
	var key strings.Builder
	key.WriteString(kind)
	for _, name := range keysOf(static) {
		fmt.Fprintf(&key, "\x00%s=%#v", name, static[name])
	}
	return key.String()
}

// inspected takes over what was found.
func (c *compiler) inspected(b *Block, found Inspection, r InspectRequest) {
	b.Inputs = found.Inputs
	b.unknown = cty.NilVal // somebody may have asked before the outputs were known
	if len(found.Outputs) > 0 {
		b.Outputs = make(map[string]Output, len(b.Kind.Outputs)+len(found.Outputs))
		for name, o := range b.Kind.Outputs {
			b.Outputs[name] = o
		}
		for name, o := range found.Outputs {
			b.Outputs[name] = o
		}
	}
	if found.Bundle == "" {
		return
	}
	where := b.Range
	for _, name := range b.Kind.Static {
		where = r.Ranges[name]
		break
	}
	b.Bundle = path.Clean(found.Bundle)
	if f := found.Fetched; f != nil {
		c.fetched = true
		c.add(c.adopt(f, b.Bundle)...)
		b.Bundle, b.Commit = path.Join(f.Folder, b.Bundle), f.Commit
	}
	info, err := fs.Stat(c.t.files, b.Bundle)
	switch {
	case !fs.ValidPath(b.Bundle):
		c.fail(where, "Path leaves the template's folder", fmt.Sprintf("%q is not below the template's folder; everything a template uses has to lie there.", found.Bundle))
		return
	case err != nil || !info.IsDir():
		c.fail(where, "No such folder", fmt.Sprintf("There is no folder %q in the template's folder.", found.Bundle))
		return
	}
	packed, err := c.t.PackFolder(b.Bundle)
	if err != nil {
		c.fail(where, "Unusable folder", capital(fault.From(err).Message)+".")
		return
	}
	b.BundleHash = packed.Hash
}
