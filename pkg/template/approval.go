package template

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// declareApproval reads what has to be approved of every environment that is made of the template. A template may have several:
// each has to be met.
func (c *compiler) declareApproval(b *hclsyntax.Block) {
	a := c.content(b, attributes(nil, "for", "when", "by", "expires", "self")).Attributes
	rule, err := environment.NewApproval(event.Approval{For: c.texts(a["for"]), When: c.text(a["when"]), By: c.texts(a["by"]),
		Self: c.flag(a["self"]), Expires: c.text(a["expires"])})
	if err == nil && rule.When == environment.WhenNever {
		err = fault.New(fault.Reject, fault.Invalid, "\"when\" is \"never\": leave the block out")
	}
	if err != nil {
		c.fail(b.DefRange(), "Invalid approval", fault.From(err).Message+".")
		return
	}
	c.t.approvals = append(c.t.approvals, rule)
}

// texts are a list of texts that are known when the template is compiled.
func (c *compiler) texts(attr *hcl.Attribute) (list []string) {
	v := c.constant(attr, cty.List(cty.String))
	if v == cty.NilVal || v.IsNull() {
		return nil
	}
	for _, member := range v.AsValueSlice() {
		if member.IsNull() {
			c.fail(attr.Expr.Range(), "Invalid list", "A member of it is null.")
			continue
		}
		list = append(list, member.AsString())
	}
	return list
}

// Approvals are the rules that the template asks for.
func (t *Template) Approvals() []environment.Approval {
	list := make([]environment.Approval, len(t.approvals))
	for i, a := range t.approvals {
		a.Template = t.Name
		list[i] = a
	}
	return list
}
