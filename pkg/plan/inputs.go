package plan

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/template/lang"
)

func (p *Plan) find(address string) (*instance, error) {
	inst := p.byAddress[address]
	if inst == nil {
		return nil, fault.New(fault.GiveUp, fault.NotFound, "the environment has no node %q", address)
	}
	return inst, nil
}

// unresolved says why something can't be evaluated, or is nil when it can.
func (e *evaluation) unresolved(what string, ps problems) error {
	if len(e.missing) > 0 {
		slices.Sort(e.missing)
		missing := slices.Compact(e.missing)
		ps.add("Outputs are missing", "%s needs the outputs of %s, which was not applied", what, strings.Join(missing, ", "))
	}
	if err := ps.fault(fault.GiveUp, fault.InputsUnresolved, what+" can't be worked out"); err != nil {
		return err
	}
	return nil
}

// Inputs evaluates what a node gets, as its executor's schema describes it; attributes that were left out are not in
// it, and secrets are sealed. An error is a *fault.Error: InputsUnresolved with file and line.
func (p *Plan) Inputs(address string, outputs Outputs) (environment.Inputs, error) {
	inst, err := p.find(address)
	if err != nil {
		return environment.Inputs{}, err
	}
	return p.inputs(inst, outputs, false)
}

// Proposal is Inputs as far as the outputs that are known decide them. What they don't is null, and Unknown names it.
func (p *Plan) Proposal(address string, outputs Outputs) (environment.Inputs, error) {
	inst, err := p.find(address)
	if err != nil {
		return environment.Inputs{}, err
	}
	return p.inputs(inst, outputs, true)
}

func (p *Plan) inputs(inst *instance, outputs Outputs, partly bool) (environment.Inputs, error) {
	v, err := p.evaluate(inst, outputs, partly)
	if err != nil {
		return environment.Inputs{}, err
	}
	pending := unknowns{}
	if partly {
		pending.collect("", v, nil)
	}
	unknown := func(cty.Value) json.RawMessage { return json.RawMessage("null") }
	hidden := false
	data, err := lang.Encoder{Unknown: unknown, Secret: func(plain json.RawMessage) json.RawMessage { hidden = true; return p.seal(plain) }}.Encode(v)
	clear := data
	if err == nil && hidden {
		clear, err = lang.Encoder{Unknown: unknown, Secret: func(plain json.RawMessage) json.RawMessage { return plain }}.Encode(v)
	}
	if err != nil {
		b := inst.group.block
		return environment.Inputs{}, fault.New(fault.GiveUp, fault.InputsUnresolved, "the inputs of %s can't be written down: %v", inst.address, err).With(
			fault.Diagnostic{Severity: "error", Summary: "Unusable inputs", Detail: err.Error(), File: b.Range.Filename, Line: b.Range.Start.Line, Column: b.Range.Start.Column})
	}
	if len(pending) > 0 {
		return environment.Inputs{Data: data, Unknown: pending}, nil
	}
	return environment.Inputs{Data: data, Fingerprint: p.fingerprint(inst, clear)}, nil
}

// fingerprint is that of all that an executor would be given: the kind, the files and the inputs in clear.
func (p *Plan) fingerprint(inst *instance, clear json.RawMessage) string {
	if p.request.Box == nil {
		return "" // a plan that is only looked at
	}
	b := inst.group.block
	all := bytes.Join([][]byte{[]byte(b.Kind.Name), []byte(b.BundleHash), clear}, []byte{0}) // neither name nor hash has a NUL in it
	return hex.EncodeToString(p.request.Box.MAC("inputs", all))
}

// evaluate gives the attributes of a node that are set.
func (p *Plan) evaluate(inst *instance, outputs Outputs, partly bool) (cty.Value, error) {
	b := inst.group.block
	e := &evaluation{scope: inst.group.scope, inst: inst, outputs: known(outputs), partly: partly}
	v, diags := b.Decode(e.context(b.Needs))
	var ps problems
	if len(e.missing) == 0 {
		ps.addHCL(e.scope.t, append(diags, e.diags...))
	}
	if err := e.unresolved(inst.address, ps); err != nil {
		return cty.NilVal, err
	}
	return withoutNulls(v), nil
}

// known makes a missing function one that knows no outputs: an evaluation without any would take them for pending.
func known(outputs Outputs) Outputs {
	if outputs == nil {
		return func(string) (json.RawMessage, bool) { return nil, false }
	}
	return outputs
}

// withoutNulls leaves out the attributes of a body that are not set.
func withoutNulls(v cty.Value) cty.Value {
	members := v.AsValueMap()
	for name, member := range members {
		if member.IsNull() {
			delete(members, name)
		}
	}
	return cty.ObjectVal(members)
}

// Endpoint evaluates the status endpoint of a node; nil for a node without one. An error is a *fault.Error.
func (p *Plan) Endpoint(address string, outputs Outputs) (*event.Endpoint, error) {
	inst, err := p.find(address)
	if err != nil {
		return nil, err
	}
	e := &evaluation{scope: inst.group.scope, inst: inst, outputs: known(outputs)}
	endpoint, diags := inst.group.block.Endpoint(e.value)
	var ps problems
	if len(e.missing) == 0 {
		ps.addHCL(e.scope.t, diags)
		if endpoint == nil && len(ps) == 0 && inst.group.block.Probed() {
			ps.add("No status address", "the address of the status endpoint is null or empty")
		}
	}
	if err := e.unresolved("the status endpoint of "+address, ps); err != nil {
		return nil, err
	}
	return endpoint, nil
}

// Outputs evaluates the outputs of the environment: name to value with one template, template to such an object with
// several. Secrets are sealed. An error is a *fault.Error.
func (p *Plan) Outputs(outputs Outputs) (json.RawMessage, error) {
	whole := map[string]json.RawMessage{}
	for _, s := range p.scopes {
		values := map[string]json.RawMessage{}
		for _, o := range s.t.OutputValues() {
			e := &evaluation{scope: s, outputs: known(outputs)}
			v, diags := e.output(o)
			var ps problems
			if len(e.missing) == 0 {
				ps.addHCL(s.t, diags)
			}
			what := "output " + o.Name + " of template " + s.t.Name
			if err := e.unresolved(what, ps); err != nil {
				return nil, err
			}
			data, err := lang.Encoder{Secret: p.seal}.Encode(v)
			if err != nil {
				return nil, fault.New(fault.GiveUp, fault.InputsUnresolved, "%s can't be written down: %v", what, err)
			}
			values[o.Name] = data
		}
		if len(p.scopes) == 1 {
			whole = values
			break
		}
		data, err := json.Marshal(values)
		if err != nil {
			return nil, fault.From(err)
		}
		whole[s.t.Name] = data
	}
	data, err := json.Marshal(whole)
	if err != nil {
		return nil, fault.From(err)
	}
	return data, nil
}

// Entrypoints evaluates the addresses at which people find the environment, in the order of templates and source.
// An error is a *fault.Error.
func (p *Plan) Entrypoints(outputs Outputs) ([]environment.Entrypoint, error) {
	var list []environment.Entrypoint
	for _, s := range p.scopes {
		for _, entry := range s.t.EntrypointBlocks() {
			e := &evaluation{scope: s, outputs: known(outputs)}
			v, diags := e.value(entry.URL)
			var ps problems
			url := ""
			if len(e.missing) == 0 {
				ps.addHCL(s.t, diags)
				address, more := entry.Address(v)
				url = address
				ps.addHCL(s.t, more)
			}
			if err := e.unresolved("entrypoint "+entry.Name+" of template "+s.t.Name, ps); err != nil {
				return nil, err
			}
			list = append(list, environment.Entrypoint{Name: entry.Name, URL: url, Description: entry.Description})
		}
	}
	return list, nil
}
