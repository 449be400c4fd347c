package plan

import (
	"fmt"
	"strconv"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// expand makes the instances of every block.
func (p *Plan) expand() *fault.Error {
	var ps problems
	most := p.request.Most
	if most <= 0 {
		most = template.MaxInstances
	}
	for _, s := range p.scopes {
		for _, b := range s.t.Blocks() {
			g := &group{scope: s, block: b}
			s.groups[b] = g
			each, diags := g.instances()
			ps.addHCL(s.t, diags)
			if len(p.order)+len(each) > most {
				return fault.New(fault.Reject, fault.InvalidTemplate, "an environment has at most %d nodes here; %s would exceed that", most, b.Key())
			}
			for _, one := range each {
				g.add(one)
			}
			ps.addHCL(s.t, g.readSettings())
		}
	}
	return ps.fault(fault.Reject, fault.InvalidTemplate, "the templates do not go with these parameters")
}

func (g *group) instances() ([]template.Instance, hcl.Diagnostics) {
	if g.block.Repeat == "" {
		return []template.Instance{{Value: cty.NilVal}}, nil
	}
	g.byKey = map[string]*instance{}
	e := &evaluation{scope: g.scope}
	v, diags := e.value(g.block.RepeatExpr)
	if diags.HasErrors() {
		return nil, diags
	}
	if plain, _ := v.UnmarkDeep(); g.scope.plan.request.Blind && !plain.IsWhollyKnown() {
		return nil, hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Depends on a secret", Subject: g.block.RepeatExpr.Range().Ptr(),
			Detail: "How many there are depends on a secret of the environment, which is not opened for this question."}}
	}
	return g.block.Repeat.Keys(v, g.block.RepeatExpr.Range())
}

func (g *group) add(each template.Instance) {
	p := g.scope.plan
	inst := &instance{group: g, each: each, place: len(p.order)}
	inst.address = g.scope.t.Name + "." + g.block.Kind.Name + "." + g.block.Name
	switch g.block.Repeat {
	case template.ForEachRepeat:
		inst.key = each.Key
		inst.address += "[" + strconv.Quote(each.Key) + "]"
	case template.CountRepeat:
		inst.key = strconv.Itoa(each.Index)
		inst.address += "[" + inst.key + "]"
	}
	g.list = append(g.list, inst)
	if g.byKey != nil {
		g.byKey[inst.key] = inst
	}
	p.order = append(p.order, inst)
	p.byAddress[inst.address] = inst
}

// readSettings evaluates the settings of all instances, once when they are all the same.
func (g *group) readSettings() hcl.Diagnostics {
	var all hcl.Diagnostics
	for i, inst := range g.list {
		if i > 0 && !g.block.PerInstance() {
			inst.settings = g.list[0].settings
			continue
		}
		e := &evaluation{scope: g.scope, inst: inst}
		settings, diags := g.block.Settings(e.value)
		inst.settings = settings
		if all = append(all, diags...); diags.HasErrors() {
			break // the other instances have the same mistake
		}
	}
	return all
}

// checkOutputs looks at the references to outputs of other templates, which no single template can.
func (p *Plan) checkOutputs() *fault.Error {
	var ps problems
	for _, s := range p.scopes {
		var diags hcl.Diagnostics
		for _, refs := range s.crossReferences() {
			for _, ref := range refs {
				if detail := p.wrongOutput(ref.Name, ref.Attr); detail != "" {
					diags = append(diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Unknown output of another template", Detail: detail, Subject: &ref.Range})
				}
			}
		}
		ps.addHCL(s.t, diags)
	}
	if err := ps.fault(fault.Reject, fault.InvalidTemplate, "the templates do not go together"); err != nil {
		return err
	}
	return p.checkOutputCycles()
}

func (p *Plan) wrongOutput(name, output string) string {
	other := p.byName[name]
	if other == nil {
		return fmt.Sprintf("The environment has no template %q; it has: %s.", name, orNone(sortedKeys(p.byName)))
	}
	if other.t.OutputValue(output) != nil {
		return ""
	}
	var names []string
	for _, o := range other.t.OutputValues() {
		names = append(names, o.Name)
	}
	return fmt.Sprintf("Template %q has no output %q; it has: %s.", name, output, orNone(names))
}
