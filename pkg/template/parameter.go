package template

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/vivarium-env/vivarium/pkg/secret"
	"github.com/vivarium-env/vivarium/pkg/template/lang"
)

// Parameter is what whoever creates an environment may or has to say.
type Parameter struct {
	Name string `json:"name"`
	// Type is the constraint as the author wrote it, "any" where it is left out.
	Type string `json:"type"`
	// Default is "(sensitive)" for a sensitive parameter that has one.
	Default     json.RawMessage `json:"default,omitempty"`
	Required    bool            `json:"required"`
	Sensitive   bool            `json:"sensitive"`
	Description string          `json:"description,omitempty"`

	constraint  cty.Type
	defaults    *typeexpr.Defaults
	value       cty.Value // the default, cty.NilVal without one
	validations []validation
	rng         hcl.Range
}

type validation struct {
	condition, message *Expr
	rng                hcl.Range
}

// Parameters are what the template can be told, in the order of the source.
func (t *Template) Parameters() []Parameter {
	list := make([]Parameter, len(t.parameters))
	for i, p := range t.parameters {
		list[i] = *p
	}
	return list
}

// Decode reads a given value. It is marked when the parameter is sensitive. The error says what is wrong and shows
// nothing of the value.
func (p *Parameter) Decode(data json.RawMessage) (cty.Value, error) {
	v, err := lang.Decode(data, p.constraint, p.defaults)
	if err != nil {
		return cty.DynamicVal, err
	}
	return p.mark(v), nil
}

// DefaultValue is the value where none was given; ok is false for a required parameter.
func (p *Parameter) DefaultValue() (v cty.Value, ok bool) {
	if p.value == cty.NilVal {
		return cty.DynamicVal, false
	}
	return p.mark(p.value), true
}

// Unknown stands for the parameter's value while it is not known, as when a template is compiled.
func (p *Parameter) Unknown() cty.Value {
	return p.mark(cty.UnknownVal(p.constraint.WithoutOptionalAttributesDeep()))
}

func (p *Parameter) mark(v cty.Value) cty.Value {
	if p.Sensitive {
		return v.Mark(Sensitive)
	}
	return v
}

var parameterSchema = &hcl.BodySchema{
	Attributes: attributes(nil, "type", "default", "description", "sensitive").Attributes,
	Blocks:     []hcl.BlockHeaderSchema{{Type: "validation"}},
}

func (c *compiler) declareParameter(b *hclsyntax.Block) {
	content := c.content(b, parameterSchema)
	a := content.Attributes
	p := &Parameter{
		Name: b.Labels[0], Type: "any", Required: true, constraint: cty.DynamicPseudoType, rng: b.DefRange(),
		Sensitive: c.flag(a["sensitive"]), Description: c.text(a["description"]), value: cty.NilVal,
	}
	free := c.claim("parameter", p.Name, b.LabelRanges[0])
	if a["type"] != nil {
		c.parameterType(p, a["type"])
	}
	if a["default"] != nil {
		c.parameterDefault(p, a["default"])
	}
	for _, v := range content.Blocks {
		c.validation(p, b, v)
	}
	if free {
		c.t.parameters = append(c.t.parameters, p)
		c.t.parameterOf[p.Name] = p
	}
}

func (c *compiler) parameterType(p *Parameter, attr *hcl.Attribute) {
	constraint, defaults, diags := typeexpr.TypeConstraintWithDefaults(attr.Expr)
	c.add(diags...)
	if diags.HasErrors() {
		return
	}
	p.constraint, p.defaults = constraint, defaults
	source := attr.Expr.Range().SliceBytes(c.t.files.files[attr.Range.Filename].data)
	p.Type = strings.Join(strings.Fields(string(source)), " ")
}

func (c *compiler) parameterDefault(p *Parameter, attr *hcl.Attribute) {
	p.Required = false
	if refs := lang.References(attr.Expr.(hclsyntax.Expression)); len(refs) > 0 {
		c.fail(refs[0].Range, "Not a constant", fmt.Sprintf("A default has to be a constant: it can't refer to %s.", refs[0]))
		return
	}
	v, diags := attr.Expr.Value(&hcl.EvalContext{Functions: c.t.functions})
	c.add(diags...)
	if diags.HasErrors() {
		return
	}
	if lang.IsSensitive(v) {
		p.Sensitive = true
		v, _ = v.UnmarkDeep()
	}
	v, err := lang.Convert(v, p.constraint, p.defaults)
	if err != nil {
		c.fail(attr.Expr.Range(), "Invalid default", fmt.Sprintf("The default of parameter %q does not fit its type: %v.", p.Name, err))
		return
	}
	p.value = v
	if p.Default, err = (lang.Encoder{}).Encode(v); err != nil {
		c.fail(attr.Expr.Range(), "Invalid default", fmt.Sprintf("The default of parameter %q can't be used: %v.", p.Name, err))
	}
	if p.Sensitive {
		p.Default = json.RawMessage(`"` + secret.Shown + `"`)
	}
}

func (c *compiler) validation(p *Parameter, b *hclsyntax.Block, v *hcl.Block) {
	a, diags := v.Body.Content(attributes([]string{"condition", "error_message"}))
	for _, d := range diags {
		if d.Summary == "Missing required argument" {
			d.Subject = v.DefRange.Ptr()
		}
	}
	c.add(diags...)
	if a.Attributes["condition"] == nil || a.Attributes["error_message"] == nil {
		return
	}
	rule := validation{condition: c.expr(a.Attributes["condition"].Expr), message: c.expr(a.Attributes["error_message"].Expr), rng: v.DefRange}
	p.validations = append(p.validations, rule)
	for _, e := range []*Expr{rule.condition, rule.message} {
		c.checks = append(c.checks, check{refs: e.Refs, where: "the validation of a parameter", allow: allowParameters})
	}
}

// evaluateParameters tests validations: with the defaults where all that a condition refers to has one, and for
// their types in any case.
func (c *compiler) evaluateParameters() {
	for _, p := range c.t.parameters {
		for _, v := range p.validations {
			c.value(v.condition, nil)
			c.value(v.message, nil)
			if c.hasDefaults(v) {
				c.add(v.test(&defaultScope{c.t}, c.t)...)
			}
		}
	}
}

func (c *compiler) hasDefaults(v validation) bool {
	for _, ref := range append(v.condition.Refs, v.message.Refs...) {
		p := c.t.parameterOf[ref.Name]
		if ref.Malformed != "" || ref.Root != lang.Param || p == nil || p.value == cty.NilVal {
			return false
		}
	}
	return true
}

// defaultScope gives parameters their defaults.
type defaultScope struct{ t *Template }

func (s *defaultScope) Value(ref *lang.Reference) cty.Value {
	v, _ := s.t.parameterOf[ref.Name].DefaultValue()
	return v
}

func (s *defaultScope) Consumed(*lang.Reference) (string, cty.Value) { return "", cty.DynamicVal }

func (s *defaultScope) Node(*lang.NodeNeed) cty.Value { return cty.DynamicVal }

// test gives the author's message when the condition does not hold.
func (v validation) test(scope lang.Values, t *Template) hcl.Diagnostics {
	holds, diags := v.condition.Value(v.condition.Needs.Context(scope, t.functions))
	if diags.HasErrors() {
		return diags
	}
	holds, _ = holds.UnmarkDeep()
	holds, err := lang.Convert(holds, cty.Bool, nil)
	if err != nil || holds.IsNull() {
		return hcl.Diagnostics{errorAt(v.condition.Range(), "Invalid condition", "The condition of a validation has to be true or false.")}
	}
	if !holds.IsKnown() || holds.True() {
		return nil
	}
	return hcl.Diagnostics{errorAt(v.rng, "Invalid value for a parameter", v.text(scope, t))}
}

func (v validation) text(scope lang.Values, t *Template) string {
	message, diags := v.message.Value(v.message.Needs.Context(scope, t.functions))
	if diags.HasErrors() || lang.IsSensitive(message) {
		return "A validation failed; its message can't be shown."
	}
	message, _ = message.UnmarkDeep()
	text, err := lang.Convert(message, cty.String, nil)
	if err != nil || !text.IsKnown() || text.IsNull() {
		return "A validation failed."
	}
	return text.AsString()
}

// Validate tests all validations of a parameter; scope gives the values of parameters and the environment.
func (t *Template) Validate(p *Parameter, scope lang.Values) hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, v := range p.validations {
		diags = append(diags, v.test(scope, t)...)
	}
	return diags
}
