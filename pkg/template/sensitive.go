package template

import (
	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// markSensitive marks a value that is not null, whatever its type.
var markSensitive = function.New(&function.Spec{
	Params: []function.Parameter{{
		Name: "value", Type: cty.DynamicPseudoType,
		AllowNull: true, AllowUnknown: true, AllowDynamicType: true, AllowMarked: true,
	}},
	Type: func(args []cty.Value) (cty.Type, error) { return args[0].Type(), nil },
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		if plain, _ := args[0].Unmark(); plain.IsNull() {
			return args[0], nil
		}
		return args[0].Mark(Sensitive), nil
	},
})

// SensitiveSpec makes an attribute of a Kind sensitive, whatever its author said.
func SensitiveSpec(attribute hcldec.Spec) hcldec.Spec {
	return &hcldec.TransformFuncSpec{Wrapped: attribute, Func: markSensitive}
}

// UnwrapSensitive is the attribute that SensitiveSpec was given; ok is false for any other spec.
func UnwrapSensitive(spec hcldec.Spec) (attribute hcldec.Spec, ok bool) {
	t, is := spec.(*hcldec.TransformFuncSpec)
	if !is || t.Func != markSensitive {
		return nil, false
	}
	return t.Wrapped, true
}
