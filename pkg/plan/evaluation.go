package plan

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/vivarium-env/vivarium/pkg/template"
	"github.com/vivarium-env/vivarium/pkg/template/lang"
)

// evaluation gives values to the expressions of one scope, for one instance. It is used by one goroutine and once.
type evaluation struct {
	scope *scope
	inst  *instance // nil outside of resources and actions
	// outputs is nil before anything is applied: what nodes put out is then unknown.
	outputs Outputs
	// partly: outputs that are not there are unknown instead of missing.
	partly bool
	locals map[string]cty.Value
	// diags are the mistakes met on the way to a value: in local values, in outputs of other templates.
	diags hcl.Diagnostics
	// missing are the nodes whose outputs were asked for and are not there, and the outputs of other environments.
	missing []string
}

func (e *evaluation) context(needs *lang.Needs) *hcl.EvalContext {
	return needs.Context(e, e.scope.t.Functions())
}

// value evaluates one expression; the diagnostics include those of all that it refers to.
func (e *evaluation) value(x *template.Expr) (cty.Value, hcl.Diagnostics) {
	before := len(e.diags)
	v, diags := x.Value(e.context(x.Needs))
	diags = append(diags, e.diags[before:]...)
	e.diags = e.diags[:before]
	if diags.HasErrors() {
		return cty.DynamicVal, diags
	}
	return v, diags
}

// Value is that of a reference to anything but a node or another environment.
func (e *evaluation) Value(ref *lang.Reference) cty.Value {
	switch ref.Root {
	case lang.Param:
		return e.scope.params[ref.Name]
	case lang.Local:
		return e.local(ref.Name)
	case lang.Environment:
		return cty.StringVal(e.scope.plan.request.Environment)
	case lang.Count:
		return cty.NumberIntVal(int64(e.inst.each.Index))
	case lang.Each:
		if ref.Name == "key" {
			return cty.StringVal(e.inst.each.Key)
		}
		return e.inst.each.Value
	case lang.Template:
		return e.otherOutput(ref)
	}
	return cty.DynamicVal
}

func (e *evaluation) local(name string) cty.Value {
	if v, static := e.scope.locals[name]; static {
		return v
	}
	if v, known := e.locals[name]; known {
		return v
	}
	v, diags := e.value(e.scope.t.Local(name).Expr)
	e.diags = append(e.diags, diags...)
	if e.locals == nil {
		e.locals = map[string]cty.Value{}
	}
	e.locals[name] = v
	return v
}

// otherOutput evaluates an output of another template, in that template's scope.
func (e *evaluation) otherOutput(ref *lang.Reference) cty.Value {
	other := e.scope.plan.byName[ref.Name]
	if other == nil || other.t.OutputValue(ref.Attr) == nil {
		return cty.DynamicVal // reported by checkOutputs
	}
	in := &evaluation{scope: other, outputs: e.outputs, partly: e.partly}
	v, diags := in.output(other.t.OutputValue(ref.Attr))
	e.diags = append(e.diags, diags...)
	e.missing = append(e.missing, in.missing...)
	return v
}

func (e *evaluation) output(o *template.OutputValue) (cty.Value, hcl.Diagnostics) {
	v, diags := e.value(o.Value)
	if o.Sensitive {
		v = v.Mark(lang.Sensitive)
	}
	return v, diags
}

// Node is the object of a node, or of the instances that are asked for.
func (e *evaluation) Node(need *lang.NodeNeed) cty.Value {
	g := e.scope.groups[e.scope.t.Block(need.Root, need.Kind, need.Name)]
	switch {
	case g.block.Repeat == "" && e.outputs == nil:
		return g.beforehand()
	case g.block.Repeat == "":
		return e.instance(g.list[0], need)
	}
	some := map[string]cty.Value{}
	for _, ref := range need.Refs {
		key, known := e.key(ref)
		if !known {
			return e.all(g, need)
		}
		if inst := g.byKey[key]; inst != nil {
			some[key] = e.instance(inst, need)
		}
	}
	// An object serves for count too: HCL turns the number of an index into the name of a member.
	return cty.ObjectVal(some)
}

// key is which instance a reference means; known is false when it means, or may mean, several.
func (e *evaluation) key(ref *lang.Reference) (key string, known bool) {
	var v cty.Value
	switch k := ref.Key.(type) {
	case nil:
		return "", false
	case *hclsyntax.LiteralValueExpr:
		v = k.Val
	default:
		needs := lang.NewNeeds(lang.References(k))
		var diags hcl.Diagnostics
		if v, diags = k.Value(e.context(needs)); diags.HasErrors() {
			return "", false // the evaluation of the whole expression reports it
		}
	}
	v, _ = v.UnmarkDeep()
	v, err := lang.Convert(v, cty.String, nil)
	if err != nil || !v.IsKnown() || v.IsNull() {
		return "", false
	}
	return v.AsString(), true
}

func (e *evaluation) all(g *group, need *lang.NodeNeed) cty.Value {
	if e.outputs == nil {
		return g.beforehand()
	}
	return g.collect(func(i *instance) cty.Value { return e.instance(i, need) })
}

// beforehand is what is known of the whole block before anything is applied. Many ask for it.
func (g *group) beforehand() cty.Value {
	g.once.Do(func() { g.pending = g.collect((*instance).pending) })
	return g.pending
}

// collect makes one value of all instances: a tuple for count, an object by key for for_each.
func (g *group) collect(one func(*instance) cty.Value) cty.Value {
	switch g.block.Repeat {
	case "":
		return one(g.list[0])
	case template.CountRepeat:
		list := make([]cty.Value, len(g.list))
		for i, inst := range g.list {
			list[i] = one(inst)
		}
		return cty.TupleVal(list)
	}
	members := make(map[string]cty.Value, len(g.list))
	for _, inst := range g.list {
		members[inst.key] = one(inst)
	}
	return cty.ObjectVal(members)
}

// pending is a node before it was applied: its outputs are unknown, and marked with its address.
func (i *instance) pending() cty.Value {
	outputs := make(map[string]cty.Value, len(i.group.block.Outputs))
	for name, o := range i.group.block.Outputs {
		v := cty.UnknownVal(o.Type).Mark(lang.Pending(i.address))
		if o.Sensitive {
			v = v.Mark(lang.Sensitive)
		}
		outputs[name] = v
	}
	return cty.ObjectVal(map[string]cty.Value{"outputs": cty.ObjectVal(outputs)})
}

func (e *evaluation) instance(i *instance, need *lang.NodeNeed) cty.Value {
	if e.outputs == nil {
		return i.pending()
	}
	raw, there := e.outputs(i.address)
	if !there && e.partly {
		return i.pending()
	}
	if !there {
		e.missing = append(e.missing, i.address)
		return cty.DynamicVal
	}
	outputs, err := i.read(raw, e.scope.plan, wanted(need))
	if err != nil {
		e.diags = append(e.diags, &hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: "Unreadable outputs", Detail: fmt.Sprintf("The outputs of %s: %v.", i.address, err),
			Subject: need.Refs[0].Range.Ptr(),
		})
		return cty.DynamicVal
	}
	return cty.ObjectVal(map[string]cty.Value{"outputs": cty.ObjectVal(outputs)})
}

// wanted are the outputs that a need reads, nil for all.
func wanted(need *lang.NodeNeed) map[string]bool {
	names := map[string]bool{}
	for _, ref := range need.Refs {
		if ref.Attr == "" {
			return nil
		}
		names[ref.Attr] = true
	}
	return names
}

// read turns recorded outputs into values. One that was not recorded is null.
func (i *instance) read(raw json.RawMessage, p *Plan, want map[string]bool) (map[string]cty.Value, error) {
	var recorded map[string]json.RawMessage
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &recorded); err != nil {
			return nil, fmt.Errorf("they are not a JSON object")
		}
	}
	values := make(map[string]cty.Value, len(i.group.block.Outputs))
	for name, o := range i.group.block.Outputs {
		if want != nil && !want[name] {
			continue
		}
		v := cty.NullVal(o.Type)
		if data, there := recorded[name]; there && p.withheld(data) {
			v = cty.UnknownVal(o.Type).Mark(lang.Sensitive).Mark(lang.Pending(i.address))
		} else if there {
			open, sealed, err := unseal(p.request.Box, data)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", strconv.Quote(name), err)
			}
			if v, err = lang.Decode(open, o.Type, nil); err != nil {
				return nil, fmt.Errorf("%s does not have the type that was promised: %w", strconv.Quote(name), err)
			}
			if sealed {
				v = v.Mark(lang.Sensitive)
			}
		}
		if o.Sensitive {
			v = v.Mark(lang.Sensitive)
		}
		values[name] = v
	}
	return values, nil
}
