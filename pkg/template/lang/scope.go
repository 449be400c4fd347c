package lang

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// NodeNeed is a node that an expression refers to, with all its mentions.
type NodeNeed struct {
	Root, Kind, Name string
	Refs             []*Reference
}

// Needs is what has to be known to evaluate a piece of syntax, each thing once. It is immutable.
type Needs struct {
	// Values are the references to all that is not a node.
	Values []*Reference
	Nodes  []*NodeNeed
}

// Values gives the values of what is referred to. An implementation remembers its own errors: what it can't give it
// answers with cty.DynamicVal.
type Values interface {
	// Value is that of a reference to anything but a node or another environment.
	Value(ref *Reference) cty.Value
	// Consumed is an output of another environment, and the name of that; "" while the name is not known.
	Consumed(ref *Reference) (name string, output cty.Value)
	// Node is the object with outputs, or with all instances that the need mentions.
	Node(need *NodeNeed) cty.Value
}

// NewNeeds sorts references by what they need.
func NewNeeds(refs []*Reference) *Needs {
	n := &Needs{}
	for _, ref := range refs {
		if ref.IsNode() && ref.Name != "" {
			n.addNode(ref)
		} else if !n.has(ref) {
			n.Values = append(n.Values, ref)
		}
	}
	return n
}

func (n *Needs) has(ref *Reference) bool {
	for _, v := range n.Values {
		if v.Root == ref.Root && v.Name == ref.Name && v.Attr == ref.Attr && v.Key == ref.Key {
			return true
		}
	}
	return false
}

func (n *Needs) addNode(ref *Reference) {
	for _, need := range n.Nodes {
		if need.Root == ref.Root && need.Kind == ref.Kind && need.Name == ref.Name {
			need.Refs = append(need.Refs, ref)
			return
		}
	}
	n.Nodes = append(n.Nodes, &NodeNeed{Root: ref.Root, Kind: ref.Kind, Name: ref.Name, Refs: []*Reference{ref}})
}

// object collects members, and objects below them, on the way to a cty object.
type object map[string]any

func (o object) put(v cty.Value, path ...string) {
	for _, name := range path[:len(path)-1] {
		next, ok := o[name].(object)
		if !ok {
			next = object{}
			o[name] = next
		}
		o = next
	}
	o[path[len(path)-1]] = v
}

// consumed puts an output of another environment in its place. Where the name is not known, HCL gives what is not known of
// any object; so there has to be one.
func (o object) consumed(ref *Reference, v Values) {
	if ref.Malformed != "" {
		return
	}
	name, output := v.Consumed(ref)
	if _, there := o[Environment].(object); !there {
		o[Environment] = object{}
	}
	if name != "" {
		o.put(output, Environment, name, "outputs", ref.Attr)
	}
}

func (o object) values() map[string]cty.Value {
	vals := make(map[string]cty.Value, len(o))
	for name, member := range o {
		switch m := member.(type) {
		case object:
			vals[name] = cty.ObjectVal(m.values())
		case cty.Value:
			vals[name] = m
		}
	}
	return vals
}

// Context makes the scope for one evaluation, with nothing in it but what is needed.
func (n *Needs) Context(v Values, functions map[string]function.Function) *hcl.EvalContext {
	scope := object{}
	for _, ref := range n.Values {
		switch {
		case ref.IsConsumption():
			scope.consumed(ref, v)
		case ref.Name == "":
		case ref.Root == Template:
			scope.put(v.Value(ref), Template, ref.Name, "outputs", ref.Attr)
		default:
			scope.put(v.Value(ref), ref.Root, ref.Name)
		}
	}
	for _, need := range n.Nodes {
		if need.Root == Action {
			scope.put(v.Node(need), Action, need.Name)
		} else {
			scope.put(v.Node(need), Resource, need.Kind, need.Name)
		}
	}
	// What is malformed was reported where it stands; its evaluation is not to report it again.
	for _, ref := range n.Values {
		if ref.Malformed != "" && ref.Root == Environment || ref.Name == "" && !ref.IsConsumption() {
			scope.put(cty.DynamicVal, ref.Root)
		}
	}
	return &hcl.EvalContext{Variables: scope.values(), Functions: functions}
}
