package lang

import (
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// Roots that an expression may begin a reference with.
const (
	Param       = "param"
	Local       = "local"
	Resource    = "resource"
	Action      = "action"
	Each        = "each"
	Count       = "count"
	Environment = "environment"
	Template    = "template"
)

// Roots are all of them, as an error lists them.
func Roots() []string {
	return []string{Param, Local, Resource, Action, Each, Count, Environment, Template}
}

// Reference is one mention of something in an expression. It is immutable once the template is compiled.
type Reference struct {
	Root string
	// Kind is the executor of a resource or action; an action's is "action".
	Kind string
	// Name of the parameter, local, node, other template or other environment; "key", "index" or "name" of each, count and
	// this environment.
	Name string
	// Indexed references chose one instance, or another environment by an expression: Key says which, and is nil where only
	// the evaluation can tell.
	Indexed bool
	Key     hclsyntax.Expression
	// Outputs tells that outputs are read and not the node as a whole; Attr is the one that is, "" where all are.
	Outputs bool
	Attr    string
	// Malformed says what is wrong with the form of the reference, "" for nothing.
	Malformed string
	Range     hcl.Range
}

// IsNode tells whether the reference is to a resource or an action.
func (r *Reference) IsNode() bool { return r.Root == Resource || r.Root == Action }

// IsConsumption tells whether the reference is to an output of another environment. Its name is Name, or the value of Key.
func (r *Reference) IsConsumption() bool { return r.Root == Environment && r.Outputs }

// String is the reference without index and output, as an author would write it.
func (r *Reference) String() string {
	switch {
	case r.IsConsumption() && r.Name == "":
		return r.Root + "[...]"
	case r.Name == "":
		return r.Root
	case r.Root == Resource:
		return r.Root + "." + r.Kind + "." + r.Name
	default:
		return r.Root + "." + r.Name
	}
}

// References lists what a piece of syntax refers to, in the order of the source.
func References(node hclsyntax.Node) []*Reference {
	w := &walker{}
	hclsyntax.Walk(node, w)
	slices.SortStableFunc(w.found, func(a, b *Reference) int { return a.Range.Start.Byte - b.Range.Start.Byte })
	return w.found
}

// SingleReference is the reference that an expression consists of, as in depends_on; nil when it is anything else.
func SingleReference(expr hclsyntax.Expression) *Reference {
	switch e := expr.(type) {
	case *hclsyntax.ScopeTraversalExpr:
		return parse(e.Traversal, e.SrcRange)
	case *hclsyntax.IndexExpr:
		if of, ok := e.Collection.(*hclsyntax.ScopeTraversalExpr); ok {
			return indexed(of, e.Key, nil, e.SrcRange)
		}
	}
	return nil
}

// walker collects references, and knows the names that "for" expressions have put before them.
type walker struct {
	found  []*Reference
	scopes []map[string]struct{}
	// skip are collections and indexes that were taken together with what stands behind them.
	skip map[hclsyntax.Node]bool
}

// Enter is called before what is below a node.
func (w *walker) Enter(n hclsyntax.Node) hcl.Diagnostics {
	switch e := n.(type) {
	case hclsyntax.ChildScope:
		w.scopes = append(w.scopes, e.LocalNames)
	case *hclsyntax.Block:
		if e.Type == Dynamic {
			w.scopes = append(w.scopes, map[string]struct{}{iterator(e): {}})
		}
	case *hclsyntax.RelativeTraversalExpr:
		if index, ok := e.Source.(*hclsyntax.IndexExpr); ok {
			w.index(index, e.Traversal, e.SrcRange)
		}
	case *hclsyntax.IndexExpr:
		if !w.skip[n] {
			w.index(e, nil, e.SrcRange)
		}
	case *hclsyntax.ScopeTraversalExpr:
		if !w.skip[n] && !w.hidden(e.Traversal.RootName()) {
			w.found = append(w.found, parse(e.Traversal, e.SrcRange))
		}
	}
	return nil
}

// Exit is called behind what is below a node.
func (w *walker) Exit(n hclsyntax.Node) hcl.Diagnostics {
	b, ok := n.(*hclsyntax.Block)
	if _, is := n.(hclsyntax.ChildScope); is || ok && b.Type == Dynamic {
		w.scopes = w.scopes[:len(w.scopes)-1]
	}
	return nil
}

func (w *walker) hidden(name string) bool {
	return slices.ContainsFunc(w.scopes, func(s map[string]struct{}) bool {
		_, there := s[name]
		return there
	})
}

// index takes resource.K.N[key].rest as one reference, so that the instance it means is known.
func (w *walker) index(e *hclsyntax.IndexExpr, rest hcl.Traversal, rng hcl.Range) {
	of, ok := e.Collection.(*hclsyntax.ScopeTraversalExpr)
	if !ok || w.hidden(of.Traversal.RootName()) {
		return
	}
	key := e.Key
	if w.local(key) {
		key = nil
	}
	ref := indexed(of, key, rest, rng)
	if ref == nil {
		return
	}
	if w.skip == nil {
		w.skip = map[hclsyntax.Node]bool{}
	}
	w.skip[e], w.skip[of] = true, true
	w.found = append(w.found, ref)
}

// local tells whether an expression has a value only inside of the "for" or splat around it.
func (w *walker) local(expr hclsyntax.Expression) bool {
	for _, t := range hclsyntax.Variables(expr) {
		if w.hidden(t.RootName()) {
			return true
		}
	}
	anonymous := false
	hclsyntax.VisitAll(expr, func(n hclsyntax.Node) hcl.Diagnostics {
		_, is := n.(*hclsyntax.AnonSymbolExpr)
		anonymous = anonymous || is
		return nil
	})
	return anonymous
}

// indexed is nil when the index is on something else than a node or an environment, as in param.list[0].
func indexed(of *hclsyntax.ScopeTraversalExpr, key hclsyntax.Expression, rest hcl.Traversal, rng hcl.Range) *Reference {
	want := map[string]int{Resource: 3, Action: 2, Environment: 1}[of.Traversal.RootName()]
	if want == 0 || len(of.Traversal) != want {
		return nil
	}
	if want == 1 {
		return chosen(key, rest, rng)
	}
	ref := parse(of.Traversal, rng)
	ref.Indexed, ref.Key = true, key
	if ref.Malformed == "" {
		ref.outputs(rest)
	}
	return ref
}

func parse(t hcl.Traversal, rng hcl.Range) *Reference {
	ref := &Reference{Root: t.RootName(), Range: rng}
	names := leading(t[1:])
	switch ref.Root {
	case Environment:
		ref.environment(t[1:])
	case Param, Local, Each, Count:
		if len(names) == 0 {
			ref.Malformed = ref.Root + " is not a value of its own; write " + ref.Root + ".NAME"
			return ref
		}
		ref.Name = names[0]
	case Resource:
		if len(names) < 2 {
			ref.Malformed = "a resource is referred to as resource.KIND.NAME"
			return ref
		}
		ref.Kind, ref.Name = names[0], names[1]
		ref.node(t[3:])
	case Action:
		if len(names) < 1 {
			ref.Malformed = "an action is referred to as action.NAME"
			return ref
		}
		ref.Kind, ref.Name = Action, names[0]
		ref.node(t[2:])
	case Template:
		if len(names) < 3 || names[1] != "outputs" {
			ref.Malformed = "another template is referred to as template.NAME.outputs.OUTPUT"
			return ref
		}
		ref.Name, ref.Attr = names[0], names[2]
	}
	return ref
}

// leading are the names that a traversal begins with.
func leading(t hcl.Traversal) (names []string) {
	for _, step := range t {
		attr, ok := step.(hcl.TraverseAttr)
		if !ok {
			return names
		}
		names = append(names, attr.Name)
	}
	return names
}

// node reads what stands behind the name of a node: maybe an index, then maybe outputs.
func (r *Reference) node(rest hcl.Traversal) {
	if len(rest) > 0 {
		if index, ok := rest[0].(hcl.TraverseIndex); ok {
			r.Indexed = true
			r.Key = &hclsyntax.LiteralValueExpr{Val: index.Key, SrcRange: index.SrcRange}
			rest = rest[1:]
		}
	}
	r.outputs(rest)
}

func (r *Reference) outputs(rest hcl.Traversal) {
	if len(rest) == 0 {
		return
	}
	if attr, ok := rest[0].(hcl.TraverseAttr); !ok || attr.Name != "outputs" {
		r.Malformed = "of " + r.String() + " only its outputs can be read: " + r.String() + ".outputs.NAME"
		return
	}
	r.Outputs = true
	if len(rest) > 1 {
		switch step := rest[1].(type) {
		case hcl.TraverseAttr:
			r.Attr = step.Name
		case hcl.TraverseIndex:
			if step.Key.Type() == cty.String && step.Key.IsKnown() && !step.Key.IsNull() {
				r.Attr = step.Key.AsString()
			}
		}
	}
}
