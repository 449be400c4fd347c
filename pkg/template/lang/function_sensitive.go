package lang

import (
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// marking makes a function of one value of any kind, which it gets with its marks on.
func marking(returns func(cty.Type) cty.Type, f func(cty.Value) cty.Value) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{
			Name: "value", Type: cty.DynamicPseudoType,
			AllowDynamicType: true, AllowUnknown: true, AllowNull: true, AllowMarked: true,
		}},
		Type: func(args []cty.Value) (cty.Type, error) { return returns(args[0].Type()), nil },
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) { return f(args[0]), nil },
	})
}

func same(t cty.Type) cty.Type { return t }

var sensitiveFunc = marking(same, func(v cty.Value) cty.Value { return v.Mark(Sensitive) })

// nonSensitiveFunc takes the mark off, everywhere in the value, and leaves other marks where they are.
var nonSensitiveFunc = marking(same, func(v cty.Value) cty.Value {
	plain, paths := v.UnmarkDeepWithPaths()
	for _, p := range paths {
		delete(p.Marks, Sensitive)
	}
	return plain.MarkWithPaths(paths)
})

var isSensitiveFunc = marking(func(cty.Type) cty.Type { return cty.Bool }, func(v cty.Value) cty.Value {
	return cty.BoolVal(IsSensitive(v))
})
