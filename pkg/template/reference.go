package template

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/vivarium-env/vivarium/pkg/template/lang"
)

// allowance says which roots an expression may use besides param, local and environment.
type allowance int

const (
	allowAll        allowance = iota // nodes and other templates too
	allowStatic                      // nothing that a node puts out: the value is needed before anything runs
	allowParameters                  // param and environment alone
)

// check is a list of references that is looked at once everything is declared.
type check struct {
	refs  []*lang.Reference
	where string // as errors call it
	allow allowance
	owner *Block // whose each and count may be used, nil for nobody's
}

// checkReferences finds what does not exist. A bad reference is marked malformed, so that its value counts as
// unknown and is reported only here.
func (c *compiler) checkReferences() {
	for _, k := range c.checks {
		for _, ref := range k.refs {
			if summary, detail := c.wrong(k, ref); summary != "" {
				ref.Malformed = detail
				c.fail(ref.Range, summary, detail)
			}
		}
	}
}

func (c *compiler) wrong(k check, ref *lang.Reference) (summary, detail string) {
	if ref.Malformed != "" {
		return "Invalid reference", capital(ref.Malformed) + "."
	}
	switch ref.Root {
	case lang.Param:
		if c.t.parameterOf[ref.Name] == nil {
			return unknownName("parameter", ref.Name, keysOf(c.t.parameterOf))
		}
	case lang.Environment:
		return c.wrongEnvironment(k, ref)
	case lang.Local:
		return c.wrongLocal(k, ref)
	case lang.Each, lang.Count:
		return wrongRepeat(k, ref)
	case lang.Resource, lang.Action:
		return c.wrongNode(k, ref)
	case lang.Template:
		return c.wrongTemplate(k, ref)
	default:
		return "Unknown reference", fmt.Sprintf("There is nothing called %q.%s An expression refers to %s.",
			ref.Root, suggestion(ref.Root, lang.Roots()), "param.X, local.X, resource.KIND.NAME, action.NAME, each.key, each.value, "+
				"count.index, environment.name, environment.NAME.outputs.X or template.NAME.outputs.X")
	}
	return "", ""
}

func unknownName(what, name string, known []string) (summary, detail string) {
	return "Unknown " + what, fmt.Sprintf("There is no %s %q.%s%s", what, name, suggestion(name, known), listing(what+"s", known))
}

func capital(s string) string {
	if s[0] >= 'a' && s[0] <= 'z' {
		return string(s[0]-'a'+'A') + s[1:]
	}
	return s
}

func (c *compiler) wrongLocal(k check, ref *lang.Reference) (summary, detail string) {
	switch {
	case k.allow == allowParameters:
		return "Reference not allowed here", fmt.Sprintf("%s can refer to parameters and to the environment's name only, not to %s.", capital(k.where), ref)
	case c.t.localOf[ref.Name] == nil:
		return unknownName("local value", ref.Name, keysOf(c.t.localOf))
	}
	return "", ""
}

func wrongRepeat(k check, ref *lang.Reference) (summary, detail string) {
	repeat, members := "for_each", []string{"key", "value"}
	if ref.Root == lang.Count {
		repeat, members = "count", []string{"index"}
	}
	switch {
	case k.owner == nil || string(k.owner.Repeat) != repeat:
		return "Reference not allowed here", fmt.Sprintf("%s.%s exists only inside of a resource or action that has %s.", ref.Root, ref.Name, repeat)
	case ref.Name != members[0] && ref.Name != members[len(members)-1]:
		return unknownName("member of "+ref.Root, ref.Name, members)
	}
	return "", ""
}

func (c *compiler) wrongNode(k check, ref *lang.Reference) (summary, detail string) {
	if k.allow != allowAll {
		return "Reference not allowed here", fmt.Sprintf("%s has to be known before anything is applied, so it can't depend on %s.", capital(k.where), ref)
	}
	b := c.t.Block(ref.Root, ref.Kind, ref.Name)
	switch {
	case b == nil && ref.Root == lang.Action:
		return unknownName("action", ref.Name, c.names(ref))
	case b == nil:
		return unknownName("resource of kind \""+ref.Kind+"\"", ref.Name, c.names(ref))
	case ref.Outputs && !b.onCreate():
		return "Reference not allowed here", fmt.Sprintf("%s has no outputs that others could read: its run_on has no \"create\".", ref)
	case b.Repeat == "" && ref.Indexed:
		return "Invalid reference", fmt.Sprintf("%s has neither for_each nor count, so it has no instances to choose from.", ref)
	case b.Repeat != "" && !ref.Indexed && ref.Outputs:
		example := `["key"]`
		if b.Repeat == CountRepeat {
			example = "[0]"
		}
		return "Invalid reference", fmt.Sprintf("%s has %s, so an instance has to be chosen: %s%s.outputs.", ref, b.Repeat, ref, example)
	}
	return "", ""
}

func (c *compiler) names(ref *lang.Reference) []string {
	var names []string
	for _, b := range c.t.blocks {
		if b.root() == ref.Root && (ref.Root == lang.Action || b.Kind.Name == ref.Kind) {
			names = append(names, b.Name)
		}
	}
	return names
}

func (c *compiler) wrongTemplate(k check, ref *lang.Reference) (summary, detail string) {
	switch {
	case k.allow != allowAll:
		return "Reference not allowed here", fmt.Sprintf("%s has to be known before anything is applied, so it can't depend on the outputs of %s.", capital(k.where), ref)
	case ref.Name == c.t.Name:
		return "Invalid reference", "A template can't read its own outputs this way; refer to what the output is made of."
	}
	return "", ""
}

// checkOutputReferences looks at the outputs that references read, once it is known what each node puts out.
func (c *compiler) checkOutputReferences() {
	for _, k := range c.checks {
		for _, ref := range k.refs {
			if !ref.IsNode() || ref.Attr == "" || ref.Malformed != "" {
				continue
			}
			b := c.t.Block(ref.Root, ref.Kind, ref.Name)
			if _, there := b.Outputs[ref.Attr]; !there && !b.open {
				_, ref.Malformed = unknownName("output of "+ref.String(), ref.Attr, keysOf(b.Outputs))
				c.fail(ref.Range, "Unknown output", fmt.Sprintf("%s has no output %q.%s%s",
					ref, ref.Attr, suggestion(ref.Attr, keysOf(b.Outputs)), listing("outputs", keysOf(b.Outputs))))
			}
		}
	}
}

// compileScope gives the values that are known of things while a template is compiled: their types.
type compileScope struct {
	c     *compiler
	block *Block
}

func (s compileScope) Value(ref *lang.Reference) cty.Value {
	if ref.Malformed != "" {
		return cty.DynamicVal
	}
	switch ref.Root {
	case lang.Param:
		return s.c.t.parameterOf[ref.Name].Unknown()
	case lang.Local:
		return s.c.evaluateLocal(s.c.t.localOf[ref.Name])
	case lang.Environment:
		return cty.UnknownVal(cty.String).RefineNotNull()
	case lang.Count:
		return cty.UnknownVal(cty.Number).RefineNotNull()
	case lang.Each:
		if ref.Name == "key" {
			return cty.UnknownVal(cty.String).RefineNotNull()
		}
		return s.block.element
	}
	return cty.DynamicVal
}

func (s compileScope) Consumed(ref *lang.Reference) (string, cty.Value) {
	if ref.Name != "" {
		return ref.Name, cty.DynamicVal
	}
	return ref.Named(s.context(ref)).Name, cty.DynamicVal
}

// context is the scope of the expression that names an environment. What is wrong in it was reported.
func (s compileScope) context(ref *lang.Reference) *hcl.EvalContext {
	refs := lang.References(ref.Key)
	for _, in := range refs {
		_, in.Malformed = s.c.wrong(check{owner: s.block}, in)
	}
	return lang.NewNeeds(refs).Context(s, s.c.t.functions)
}

func (s compileScope) Node(need *lang.NodeNeed) cty.Value {
	b := s.c.t.Block(need.Root, need.Kind, need.Name)
	secret := false
	for _, ref := range need.Refs {
		if ref.Malformed != "" {
			return cty.DynamicVal
		}
		secret = secret || b.Outputs[ref.Attr].Sensitive
	}
	v := b.pending()
	switch {
	case b.open:
		return cty.DynamicVal
	case b.Repeat == ForEachRepeat:
		v = cty.UnknownVal(cty.Map(v.Type()))
	case b.Repeat == CountRepeat:
		v = cty.UnknownVal(cty.List(v.Type()))
	default:
		return v
	}
	if secret {
		v = v.Mark(Sensitive)
	}
	return v
}

// value evaluates an expression for its mistakes.
func (c *compiler) value(e *Expr, b *Block) cty.Value {
	v, diags := e.Value(e.Needs.Context(compileScope{c: c, block: b}, c.t.functions))
	c.add(diags...)
	if diags.HasErrors() {
		return cty.DynamicVal
	}
	return v
}
