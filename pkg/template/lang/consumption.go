package lang

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// OwnName is what environment.name is called. No other environment of that name can be referred to.
const OwnName = "name"

// howConsumed says how an output of another environment is written.
const howConsumed = "environment.NAME.outputs.OUTPUT, or environment[EXPRESSION].outputs.OUTPUT"

// environment reads what stands behind "environment": the own name, or the name of another one and its outputs.
func (r *Reference) environment(rest hcl.Traversal) {
	if len(rest) == 0 {
		r.Malformed = "the environment is not a value of its own; write environment.name, or " + howConsumed
		return
	}
	_, plain := rest[0].(hcl.TraverseAttr)
	r.Name = stepName(rest[0])
	switch {
	case r.Name == "":
		r.Malformed = "the name of another environment is a text that is not empty: " + howConsumed
	case plain && r.Name == OwnName && len(rest) == 1:
	case plain && r.Name == OwnName:
		r.Malformed = "the name of this environment, environment.name, has nothing below it; an output of another one is " + howConsumed
	case len(rest) == 1:
		r.Malformed = "of this environment only environment.name can be read, and of another one its outputs: " + howConsumed
	default:
		r.consumed(rest[1:])
	}
}

// chosen is a reference to an output of the environment that an expression names; the key is nil where it can't be known
// outside of a "for".
func chosen(key hclsyntax.Expression, rest hcl.Traversal, rng hcl.Range) *Reference {
	ref := &Reference{Root: Environment, Indexed: true, Key: key, Range: rng}
	if ref.consumed(rest); key == nil && ref.Malformed == "" {
		ref.Malformed = "the name of another environment can't come from the \"for\" around it: what an environment uses of others has to be known before it is made"
	}
	return ref
}

func (r *Reference) consumed(rest hcl.Traversal) {
	if len(rest) > 1 && stepName(rest[0]) == "outputs" {
		r.Attr = stepName(rest[1])
	}
	if r.Outputs = r.Attr != ""; !r.Outputs {
		r.Malformed = "of another environment one output is read: " + howConsumed
	}
}

// stepName is the name of a member that a step leads to, "" where it leads to none.
func stepName(step hcl.Traverser) string {
	switch s := step.(type) {
	case hcl.TraverseAttr:
		return s.Name
	case hcl.TraverseIndex:
		if v, err := convert.Convert(s.Key, cty.String); err == nil && v.IsKnown() && !v.IsNull() {
			return v.AsString()
		}
	}
	return ""
}

// Named is what an expression says of the name of an environment. One that is not known, or is no text, is reported by HCL
// where it evaluates the whole.
type Named struct {
	Name             string
	Known, Sensitive bool
}

// Named evaluates the expression that names an environment.
func (r *Reference) Named(ctx *hcl.EvalContext) Named {
	v, diags := r.Key.Value(ctx)
	if diags.HasErrors() {
		return Named{}
	}
	n := Named{Sensitive: IsSensitive(v)}
	v, _ = v.UnmarkDeep()
	v, err := convert.Convert(v, cty.String)
	if n.Known = err == nil && v.IsKnown() && !v.IsNull(); n.Known {
		n.Name = v.AsString()
	}
	return n
}
