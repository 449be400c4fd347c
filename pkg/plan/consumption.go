package plan

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/secret"
	"github.com/vivarium-env/vivarium/pkg/template"
	"github.com/vivarium-env/vivarium/pkg/template/lang"
)

// Consumed is an output of another environment: unknown while that is not there, and sensitive where it is sealed.
func (e *evaluation) Consumed(ref *lang.Reference) (string, cty.Value) {
	name := e.other(ref).Name
	if name == "" {
		return "", cty.DynamicVal
	}
	c := environment.Consumption{Environment: name, Output: ref.Attr}
	unknown := cty.DynamicVal.Mark(lang.Pending("environment " + name))
	if e.outputs == nil {
		return name, unknown
	}
	raw, there := e.outputs(c.Key())
	switch {
	case !there && e.partly:
		return name, unknown
	case !there:
		e.missing = append(e.missing, "environment "+name+" (output "+ref.Attr+")")
		return name, cty.DynamicVal
	}
	v, err := e.scope.plan.leaves(raw)
	if err != nil {
		e.diags = append(e.diags, errorAt(ref.Range, "Unreadable output", fmt.Sprintf("Output %q of environment %q: %v.", ref.Attr, name, err)))
	}
	return name, v
}

// leaves reads what another environment has put out, whose sealed parts alone are sensitive.
func (p *Plan) leaves(raw json.RawMessage) (cty.Value, error) {
	if !strings.Contains(string(raw), `"`+secret.Field+`"`) {
		return lang.Decode(raw, cty.DynamicPseudoType, nil)
	}
	var members map[string]json.RawMessage
	if _, leaf := secret.Sealed(raw); !leaf && json.Unmarshal(raw, &members) == nil {
		values := make(map[string]cty.Value, len(members))
		for name, member := range members {
			v, err := p.leaves(member)
			if err != nil {
				return cty.DynamicVal, err
			}
			values[name] = v
		}
		return cty.ObjectVal(values), nil
	}
	if p.request.Blind {
		return cty.DynamicVal.Mark(lang.Sensitive), nil
	}
	open, sealed, err := unseal(p.request.Box, raw)
	if err != nil {
		return cty.DynamicVal, err
	}
	v, err := lang.Decode(open, cty.DynamicPseudoType, nil)
	if sealed {
		v = v.Mark(lang.Sensitive)
	}
	return v, err
}

// other is the name of the environment that a reference is to.
func (e *evaluation) other(ref *lang.Reference) lang.Named {
	if ref.Key == nil {
		return lang.Named{Name: ref.Name, Known: true}
	}
	return ref.Named(e.context(lang.NewNeeds(lang.References(ref.Key))))
}

func errorAt(at hcl.Range, summary, detail string) *hcl.Diagnostic {
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: &at}
}

// consumptions are the outputs of other environments that references lead to, each once and sorted; through outputs of
// other templates too.
func (e *evaluation) consumptions(refs []*lang.Reference) (list []environment.Consumption, diags hcl.Diagnostics) {
	for _, ref := range refs {
		switch {
		case ref.Root == lang.Template:
			s := e.scope.plan.byName[ref.Name]
			list = append(list, s.outputConsumes(ref.Attr)...)
		case ref.IsConsumption():
			name := e.other(ref)
			if detail := template.WrongName(name, e.scope.plan.request.Environment); detail != "" {
				diags = append(diags, errorAt(ref.Range, "Invalid environment", detail))
			} else if name.Known {
				list = append(list, environment.Consumption{Environment: name.Name, Output: ref.Attr})
			}
		}
	}
	slices.SortFunc(list, environment.Consumption.Compare)
	return slices.CompactFunc(list, func(a, b environment.Consumption) bool { return a.Compare(b) == 0 }), diags
}

// outputConsumes is what an output of this template is made of in other environments. What is wrong with it is reported
// where the output stands.
func (s *scope) outputConsumes(name string) []environment.Consumption {
	if list, known := s.consumes[name]; known {
		return list
	}
	list, _ := (&evaluation{scope: s}).consumptions(s.t.OutputValue(name).Edges)
	s.consumes[name] = list
	return list
}

// consume finds what nodes, outputs and entrypoints use of other environments.
func (p *Plan) consume() *fault.Error {
	var ps problems
	for _, inst := range p.order {
		g := inst.group
		if len(g.block.Consumes) == 0 {
			continue
		}
		list, diags := (&evaluation{scope: g.scope, inst: inst}).consumptions(g.block.Consumes)
		inst.consumes = list
		ps.addHCL(g.scope.t, diags)
	}
	for _, s := range p.scopes {
		for _, o := range s.t.OutputValues() {
			list, diags := (&evaluation{scope: s}).consumptions(o.Edges)
			ps.addHCL(s.t, diags)
			s.passOn("output", o.Name, o.Description, o.Edges, list)
		}
		for _, entry := range s.t.EntrypointBlocks() {
			list, diags := (&evaluation{scope: s}).consumptions(entry.Edges)
			ps.addHCL(s.t, diags)
			s.passOn("entrypoint", entry.Name, entry.Description, entry.Edges, list)
		}
	}
	return ps.fault(fault.Reject, fault.InvalidTemplate, "the templates do not go with these parameters")
}

// passOn makes a node of an output or entrypoint that uses other environments, so that it can wait for them, and is found by
// who asks what uses them.
func (s *scope) passOn(what, name, description string, edges []*lang.Reference, list []environment.Consumption) {
	if len(list) == 0 {
		return
	}
	node := environment.Node{Address: s.t.Name + "." + what + "." + name, Type: environment.StatusNode, Template: s.t.Name,
		Executor: environment.ServerExecutor, Name: name, Description: description, Consumes: list}
	nodes := (&evaluation{scope: s}).nodes(edges)
	slices.SortFunc(nodes, func(a, b *instance) int { return a.place - b.place })
	for _, dep := range nodes {
		node.DependsOn = append(node.DependsOn, dep.address)
	}
	s.plan.passing = append(s.plan.passing, node)
}

// maxSources bounds how many resources are named as those that one output comes from.
const maxSources = 32

// Sources are the outputs of the environment, by name as others refer to them, with the nodes that each comes from; none for
// one that comes from very many.
func (p *Plan) Sources() map[string][]string {
	all := map[string][]string{}
	for _, s := range p.scopes {
		whole := []string{}
		for _, o := range s.t.OutputValues() {
			from := addressesOf(s.outputNodes(o.Name))
			if len(p.scopes) == 1 {
				all[o.Name] = bounded(from)
			}
			whole = append(whole, from...)
		}
		if len(p.scopes) > 1 {
			slices.Sort(whole)
			all[s.t.Name] = bounded(slices.Compact(whole))
		}
	}
	return all
}

func bounded(list []string) []string {
	if len(list) > maxSources {
		return []string{}
	}
	return list
}

func addressesOf(nodes []*instance) []string {
	list := make([]string, len(nodes))
	for i, n := range nodes {
		list[i] = n.address
	}
	slices.Sort(list)
	return list
}
