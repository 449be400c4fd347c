package template

import (
	"fmt"
	"unicode"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/vivarium-env/vivarium/pkg/template/lang"
)

// MaxInstances bounds how many nodes one block may stand for.
const MaxInstances = 1_000_000

// Instance is one of the nodes that a block stands for.
type Instance struct {
	Key   string    // for_each
	Value cty.Value // for_each
	Index int       // count
}

// Keys lists the instances that the value of for_each or count asks for, in a fixed order. A value that is not known,
// as many are to the compiler, gives none; what is wrong with it is found all the same.
func (r Repeat) Keys(v cty.Value, where hcl.Range) ([]Instance, hcl.Diagnostics) {
	fail := func(detail string) ([]Instance, hcl.Diagnostics) {
		return nil, hcl.Diagnostics{errorAt(where, "Invalid "+string(r), detail)}
	}
	if lang.IsSensitive(v) {
		return fail("The value is sensitive, and what makes a node's address can't be. nonsensitive() says that it is not a secret.")
	}
	v, _ = v.UnmarkDeep()
	if v.IsNull() {
		return fail("The value is null.")
	}
	if r == CountRepeat {
		return countKeys(v, fail)
	}
	t := v.Type()
	switch {
	case t == cty.DynamicPseudoType:
		return nil, nil
	case t.IsListType(), t.IsTupleType():
		return fail("A list has no keys to tell the instances apart; make it a set with toset().")
	case t.IsSetType() && t.ElementType() != cty.String && t.ElementType() != cty.DynamicPseudoType, !t.IsSetType() && !t.IsMapType() && !t.IsObjectType():
		return fail("It has to be a map, an object or a set of strings, not a " + t.FriendlyName() + ".")
	case !v.IsKnown():
		return nil, nil
	}
	return eachKeys(v, fail)
}

func countKeys(v cty.Value, fail func(string) ([]Instance, hcl.Diagnostics)) ([]Instance, hcl.Diagnostics) {
	n, err := lang.Convert(v, cty.Number, nil)
	if err != nil {
		return fail("It has to be a whole number: " + err.Error() + ".")
	}
	if !n.IsKnown() {
		return nil, nil
	}
	many, exact := n.AsBigFloat().Int64()
	if exact != 0 || many < 0 || many > MaxInstances {
		return fail(fmt.Sprintf("It has to be a whole number from 0 to %d.", MaxInstances))
	}
	list := make([]Instance, many)
	for i := range list {
		list[i] = Instance{Index: i, Value: cty.NilVal}
	}
	return list, nil
}

func eachKeys(v cty.Value, fail func(string) ([]Instance, hcl.Diagnostics)) ([]Instance, hcl.Diagnostics) {
	var list []Instance
	for it := v.ElementIterator(); it.Next(); {
		key, value := it.Element()
		if !key.IsKnown() {
			return nil, nil
		}
		if key.IsNull() || !validKey(key.AsString()) {
			return fail("A key has to be a text of 1 to 128 printable characters.")
		}
		list = append(list, Instance{Key: key.AsString(), Value: value})
	}
	return list, nil
}

func validKey(key string) bool {
	for _, r := range key {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return key != "" && len(key) <= 128
}
