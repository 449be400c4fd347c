package template

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

const createBeforeDestroy = "create_before_destroy"

// declareOrder takes create_before_destroy where the kind knows an order.
func (c *compiler) declareOrder(b *Block, attr *hcl.Attribute) {
	switch {
	case attr == nil || b.Kind == nil: // that there is no such kind is said elsewhere
	case b.Kind.Replace == nil:
		why := b.Kind.Unordered
		if why == "" {
			why = fmt.Sprintf("what is made by %q is changed in place, or as its executor sees fit: there is no order to choose.", b.Kind.Name)
		}
		c.fail(attr.Range, "No order of replacement", fmt.Sprintf("%s of %s: %s", createBeforeDestroy, b.Key(), why))
	default:
		c.setting(&b.settings.createFirst, attr)
	}
}

// ordered puts into a decoded body in which order a replacement goes, where the block says so.
func (b *Block) ordered(body cty.Value, ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	e := b.settings.createFirst
	if e == nil {
		return body, nil
	}
	r := settingReader{eval: func(e *Expr) (cty.Value, hcl.Diagnostics) { return e.Value(ctx) }}
	v := r.value(e, createBeforeDestroy, cty.Bool)
	if v == cty.NilVal {
		return body, r.diags
	}
	body, wrong := b.Kind.Replace(body, v.True())
	if wrong != "" {
		r.fail(e, "No such order of replacement", wrong)
	}
	return body, r.diags
}
