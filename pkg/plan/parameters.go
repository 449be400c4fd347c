package plan

import (
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/secret"
	"github.com/vivarium-env/vivarium/pkg/template"
	"github.com/vivarium-env/vivarium/pkg/template/lang"
)

// problems collects what is wrong, over all templates.
type problems []fault.Diagnostic

func (ps *problems) add(summary, format string, args ...any) {
	*ps = append(*ps, fault.Diagnostic{Severity: "error", Summary: summary, Detail: fmt.Sprintf(format, args...)})
}

// addHCL takes the diagnostics of one template, with their snippets.
func (ps *problems) addHCL(t *template.Template, diags hcl.Diagnostics) {
	if len(diags) == 0 {
		return // this is asked for every node
	}
	if err := template.Diagnose(t.Files(), fault.InvalidTemplate, t.Name, diags); err != nil {
		*ps = append(*ps, err.Diagnostics...)
	}
}

// maxProblems bounds what one error carries: it has to fit into a message.
const maxProblems = 100

// fault is nil when there is no problem.
func (ps problems) fault(d fault.Disposition, code fault.Code, what string) *fault.Error {
	if len(ps) == 0 {
		return nil
	}
	var said []string
	for _, one := range ps[:min(len(ps), 5)] {
		text := strings.TrimSuffix(one.Detail, ".")
		if one.File != "" {
			text = fmt.Sprintf("%s:%d: %s. %s", one.File, one.Line, one.Summary, text)
		}
		said = append(said, text)
	}
	if more := len(ps) - len(said); more > 0 {
		said = append(said, fmt.Sprintf("and %d more", more))
	}
	return fault.New(d, code, "%s: %s", what, strings.Join(said, "; ")).With(ps[:min(len(ps), maxProblems)]...)
}

// readParameters gives every template the values of what it declares.
func (p *Plan) readParameters() *fault.Error {
	var ps problems
	declared := map[string][]string{}
	for _, s := range p.scopes {
		for _, param := range s.t.Parameters() {
			declared[param.Name] = append(declared[param.Name], s.t.Name)
		}
	}
	for _, name := range sortedKeys(p.request.Parameters) {
		if declared[name] == nil {
			ps.add("Unknown parameter", "parameter %q is not declared by %s; there are: %s", name, p.templateNames(), orNone(sortedKeys(declared)))
		}
	}
	for _, s := range p.scopes {
		for _, param := range s.t.Parameters() {
			s.readParameter(&param, &ps)
		}
	}
	if err := ps.fault(fault.Reject, fault.InvalidParameter, "the parameters are wrong"); err != nil {
		return err
	}
	return p.effective()
}

func (p *Plan) templateNames() string {
	names := make([]string, len(p.scopes))
	for i, s := range p.scopes {
		names[i] = s.t.Name
	}
	return "template " + strings.Join(names, ", ")
}

func orNone(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}

// readParameter takes null for a value that was not given.
func (s *scope) readParameter(param *template.Parameter, ps *problems) {
	s.params[param.Name] = cty.DynamicVal
	raw, given := s.plan.request.Parameters[param.Name]
	if !given || strings.TrimSpace(string(raw)) == "null" {
		v, ok := param.DefaultValue()
		if !ok {
			ps.add("Missing parameter", "parameter %q (%s) of template %s is required", param.Name, param.Type, s.t.Name)
			return
		}
		s.params[param.Name] = v
		return
	}
	if s.plan.withheld(raw) {
		s.params[param.Name] = param.Unknown().Mark(lang.Sensitive).Mark(lang.Pending("parameter " + param.Name))
		return
	}
	open, sealed, err := unseal(s.plan.request.Box, raw)
	if err != nil {
		ps.add("Unreadable parameter", "parameter %q: %v", param.Name, err)
		return
	}
	v, err := param.Decode(open)
	if err != nil {
		ps.add("Wrong type of a parameter", "parameter %q of template %s has to be %s: %v", param.Name, s.t.Name, param.Type, err)
		return
	}
	if sealed {
		v = v.Mark(lang.Sensitive)
	}
	s.params[param.Name] = v
}

// withheld tells whether a value holds a secret that is not to be opened.
func (p *Plan) withheld(raw json.RawMessage) bool {
	return p.request.Blind && strings.Contains(string(raw), `"`+secret.Field+`"`)
}

// unseal opens the sealed leaves of a document, and tells whether there were any.
func unseal(box *secret.Box, raw json.RawMessage) (open json.RawMessage, sealed bool, err error) {
	if !strings.Contains(string(raw), `"`+secret.Field+`"`) {
		return raw, false, nil
	}
	if box == nil {
		return nil, true, errors.New("the value is sealed, and the key to open it is not here")
	}
	open, _, err = box.Open(raw)
	if err != nil {
		return nil, true, errors.New("the value was sealed with another key, or altered")
	}
	return open, true, nil
}

// effective writes down the values in force.
func (p *Plan) effective() *fault.Error {
	p.parameters = map[string]json.RawMessage{}
	values := map[string]cty.Value{}
	differ := map[string]bool{}
	for _, s := range p.scopes {
		for name, v := range s.params {
			first, seen := values[name]
			switch {
			case !seen:
				values[name] = v
			case lang.IsSensitive(v) && !lang.IsSensitive(first):
				values[name] = first.Mark(lang.Sensitive)
			}
			if seen && !sameValue(first, v) {
				differ[name] = true
			}
		}
	}
	var ps problems
	for _, name := range sortedKeys(values) {
		v := values[name]
		if raw := p.request.Parameters[name]; p.withheld(raw) {
			p.parameters[name] = raw
			continue
		}
		if raw, given := p.request.Parameters[name]; differ[name] {
			if !given {
				continue
			}
			// Each template reads the given value in its own way; what was given says it all.
			p.parameters[name] = raw
			if lang.IsSensitive(v) {
				open, _, _ := unseal(p.request.Box, raw) // it was opened before
				p.parameters[name] = p.seal(open)
			}
			continue
		}
		raw, err := lang.Encoder{Secret: p.seal}.Encode(v)
		if err != nil {
			ps.add("Unusable parameter", "parameter %q: %v", name, err)
		}
		p.parameters[name] = raw
	}
	return ps.fault(fault.Reject, fault.InvalidParameter, "the parameters are wrong")
}

func sameValue(a, b cty.Value) bool {
	a, _ = a.UnmarkDeep()
	b, _ = b.UnmarkDeep()
	return a.RawEquals(b)
}

// seal makes a sealed leaf of a secret, or what stands for it where there is no key.
func (p *Plan) seal(plain json.RawMessage) json.RawMessage {
	if p.request.Box == nil {
		return json.RawMessage(`"` + secret.Shown + `"`)
	}
	return p.request.Box.Seal(plain)
}

// validate tests the authors' conditions, and works out what is known of local values.
func (p *Plan) validate() *fault.Error {
	var ps problems
	for _, s := range p.scopes {
		for _, param := range s.t.Parameters() {
			s.validate(&param, &ps)
		}
	}
	if err := ps.fault(fault.Reject, fault.InvalidParameter, "the parameters are wrong"); err != nil {
		return err
	}
	for _, s := range p.scopes {
		for _, l := range s.t.Locals() {
			if l.Static {
				e := &evaluation{scope: s}
				v, diags := e.value(l.Expr)
				ps.addHCL(s.t, diags)
				s.locals[l.Name] = v
			}
		}
	}
	return ps.fault(fault.Reject, fault.InvalidTemplate, "the templates do not go with these parameters")
}

func (s *scope) validate(param *template.Parameter, ps *problems) {
	diags := s.t.Validate(param, &evaluation{scope: s})
	if !diags.HasErrors() {
		return
	}
	err := template.Diagnose(s.t.Files(), fault.InvalidParameter, param.Name, diags)
	for _, d := range err.Diagnostics {
		d.Detail = fmt.Sprintf("parameter %q: %s", param.Name, d.Detail)
		*ps = append(*ps, d)
	}
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
