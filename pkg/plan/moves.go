package plan

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// Moves are what the moved blocks say, chains in their order.
func (p *Plan) Moves() []environment.Move {
	var list []environment.Move
	for _, s := range p.scopes {
		for _, m := range s.t.Moves() {
			list = append(list, environment.Move{From: s.moveAddress(m.From), To: s.moveAddress(m.To), Whole: m.Whole()})
		}
	}
	return list
}

func (s *scope) moveAddress(e template.MoveEnd) string {
	return s.t.Name + "." + e.Kind + "." + e.Name + e.Key
}

// checkMoves finds instances that are moved away and are still there, which only their keys tell.
func (p *Plan) checkMoves() *fault.Error {
	var ps problems
	for _, s := range p.scopes {
		var diags hcl.Diagnostics
		for _, m := range s.t.Moves() {
			if p.byAddress[s.moveAddress(m.From)] == nil || m.Whole() {
				continue
			}
			diags = append(diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: template.StillThere, Subject: m.From.Range.Ptr(),
				Detail: fmt.Sprintf("With these parameters there is an instance %s, so it can't have become %s. Take out one of the two.", m.From, m.To)})
		}
		ps.addHCL(s.t, diags)
	}
	return ps.fault(fault.Reject, fault.InvalidTemplate, "the templates do not go with these parameters")
}
