package lang

import (
	"errors"
	"fmt"
	"sort"
	"unicode/utf8"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

func anyParameter(name string) function.Parameter {
	return function.Parameter{Name: name, Type: cty.DynamicPseudoType}
}

// lengthFunc counts elements, and the characters of a string.
var lengthFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType, AllowDynamicType: true, AllowUnknown: true}},
	Type: func(args []cty.Value) (cty.Type, error) {
		t := args[0].Type()
		if t.IsCollectionType() || t.IsTupleType() || t.IsObjectType() || t == cty.String || t == cty.DynamicPseudoType {
			return cty.Number, nil
		}
		return cty.NilType, errors.New("a collection or a string is needed")
	},
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		v := args[0]
		switch {
		case v.Type().IsTupleType():
			return cty.NumberIntVal(int64(len(v.Type().TupleElementTypes()))), nil
		case v.Type().IsObjectType():
			return cty.NumberIntVal(int64(len(v.Type().AttributeTypes()))), nil
		case !v.IsKnown():
			return cty.UnknownVal(cty.Number), nil
		case v.Type() == cty.String:
			return stdlib.Strlen(v)
		}
		return v.Length(), nil
	},
})

// lookupFunc reads a member of a map or object, or gives the default.
var lookupFunc = function.New(&function.Spec{
	Params:   []function.Parameter{anyParameter("map"), {Name: "key", Type: cty.String}},
	VarParam: &function.Parameter{Name: "default", Type: cty.DynamicPseudoType, AllowNull: true},
	Type:     func([]cty.Value) (cty.Type, error) { return cty.DynamicPseudoType, nil },
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		of, key := args[0], args[1].AsString()
		switch {
		case len(args) > 3:
			return cty.NilVal, function.NewArgErrorf(3, "at most one default can be given")
		case !utf8.ValidString(key):
			return cty.NilVal, function.NewArgErrorf(1, "not a text")
		case of.Type().IsMapType():
			if of.HasIndex(args[1]).True() {
				return of.Index(args[1]), nil
			}
		case of.Type().IsObjectType():
			if of.Type().HasAttribute(key) {
				return of.GetAttr(key), nil
			}
		default:
			return cty.NilVal, function.NewArgErrorf(0, "a map or an object is needed")
		}
		if len(args) < 3 {
			return cty.NilVal, function.NewArgErrorf(1, "there is no such member, and no default was given")
		}
		if of.Type().IsMapType() {
			if v, err := convert.Convert(args[2], of.Type().ElementType()); err == nil {
				return v, nil
			}
		}
		return args[2], nil
	},
})

// indexFunc finds the place of a value in a list.
var indexFunc = function.New(&function.Spec{
	Params: []function.Parameter{anyParameter("list"), anyParameter("value")},
	Type:   function.StaticReturnType(cty.Number),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		if t := args[0].Type(); !t.IsListType() && !t.IsTupleType() {
			return cty.NilVal, function.NewArgErrorf(0, "a list is needed")
		}
		for it := args[0].ElementIterator(); it.Next(); {
			i, v := it.Element()
			same, err := stdlib.Equal(v, args[1])
			if err != nil {
				return cty.NilVal, err
			}
			if same.IsKnown() && same.True() {
				return i, nil
			}
			if !same.IsKnown() {
				return cty.UnknownVal(cty.Number), nil
			}
		}
		return cty.NilVal, errors.New("the list does not hold the value")
	},
})

// logical folds a list of booleans; null counts as false.
func logical(start bool, fold func(all, one bool) bool) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "list", Type: cty.List(cty.Bool)}},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			result, unknown := start, false
			for it := args[0].ElementIterator(); it.Next(); {
				_, v := it.Element()
				if !v.IsKnown() {
					unknown = true
					continue
				}
				result = fold(result, !v.IsNull() && v.True())
			}
			if unknown && result == start {
				return cty.UnknownVal(cty.Bool), nil
			}
			return cty.BoolVal(result), nil
		},
	})
}

var (
	allTrueFunc = logical(true, func(all, one bool) bool { return all && one })
	anyTrueFunc = logical(false, func(all, one bool) bool { return all || one })
)

var sumFunc = function.New(&function.Spec{
	Params: []function.Parameter{anyParameter("list")},
	Type:   function.StaticReturnType(cty.Number),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		list, err := convert.Convert(args[0], cty.List(cty.Number))
		if err != nil {
			return cty.NilVal, function.NewArgErrorf(0, "a list or set of numbers is needed")
		}
		sum := cty.Zero
		for it := list.ElementIterator(); it.Next(); {
			_, v := it.Element()
			if v.IsNull() {
				return cty.NilVal, function.NewArgErrorf(0, "one of the numbers is null")
			}
			sum = sum.Add(v)
		}
		return sum, nil
	},
})

// oneFunc is the only element of a collection, or null of an empty one.
var oneFunc = function.New(&function.Spec{
	Params: []function.Parameter{anyParameter("list")},
	Type:   func([]cty.Value) (cty.Type, error) { return cty.DynamicPseudoType, nil },
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		v := args[0]
		if t := v.Type(); !t.IsListType() && !t.IsSetType() && !t.IsTupleType() {
			return cty.NilVal, function.NewArgErrorf(0, "a list, a set or a tuple is needed")
		}
		switch n := v.LengthInt(); n {
		case 0:
			return cty.NullVal(cty.DynamicPseudoType), nil
		case 1:
			return v.AsValueSlice()[0], nil
		default:
			return cty.NilVal, function.NewArgErrorf(0, "it holds %d elements, where one or none can be", n)
		}
	},
})

// matchKeysFunc keeps the values whose key, at the same place, is searched for.
var matchKeysFunc = function.New(&function.Spec{
	Params: []function.Parameter{
		{Name: "values", Type: cty.List(cty.DynamicPseudoType)},
		{Name: "keys", Type: cty.List(cty.DynamicPseudoType)},
		{Name: "search", Type: cty.List(cty.DynamicPseudoType)},
	},
	Type: func(args []cty.Value) (cty.Type, error) { return args[0].Type(), nil },
	Impl: func(args []cty.Value, ret cty.Type) (cty.Value, error) {
		if args[0].LengthInt() != args[1].LengthInt() {
			return cty.NilVal, errors.New("values and keys have to be of the same length")
		}
		keys, wanted := args[1].AsValueSlice(), args[2].AsValueSlice()
		var kept []cty.Value
		for i, v := range args[0].AsValueSlice() {
			for _, want := range wanted {
				same, err := stdlib.Equal(keys[i], want)
				if err != nil {
					return cty.NilVal, err
				}
				if !same.IsKnown() {
					return cty.UnknownVal(ret), nil
				}
				if same.True() {
					kept = append(kept, v)
					break
				}
			}
		}
		if len(kept) == 0 {
			return cty.ListValEmpty(ret.ElementType()), nil
		}
		return cty.ListVal(kept), nil
	},
})

var transposeFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "map", Type: cty.Map(cty.List(cty.String))}},
	Type:   function.StaticReturnType(cty.Map(cty.List(cty.String))),
	Impl: func(args []cty.Value, ret cty.Type) (cty.Value, error) {
		if !args[0].IsWhollyKnown() {
			return cty.UnknownVal(ret), nil
		}
		turned := map[string][]string{}
		for it := args[0].ElementIterator(); it.Next(); {
			k, list := it.Element()
			if list.IsNull() {
				return cty.NilVal, function.NewArgErrorf(0, "one of the lists is null")
			}
			for in := list.ElementIterator(); in.Next(); {
				_, v := in.Element()
				if v.IsNull() {
					return cty.NilVal, function.NewArgErrorf(0, "one of the lists holds null")
				}
				turned[v.AsString()] = append(turned[v.AsString()], k.AsString())
			}
		}
		if len(turned) == 0 {
			return cty.MapValEmpty(cty.List(cty.String)), nil
		}
		vals := map[string]cty.Value{}
		for v, keys := range turned {
			sort.Strings(keys)
			vals[v] = stringList(keys)
		}
		return cty.MapVal(vals), nil
	},
})

func stringList(list []string) cty.Value {
	vals := make([]cty.Value, len(list))
	for i, s := range list {
		vals[i] = cty.StringVal(s)
	}
	if len(vals) == 0 {
		return cty.ListValEmpty(cty.String)
	}
	return cty.ListVal(vals)
}

// argumentError is for messages that name a value which the template's author wrote.
func argumentError(i int, format string, args ...any) error {
	return function.NewArgError(i, fmt.Errorf(format, args...))
}
