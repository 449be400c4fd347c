package orchestrator

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/plan"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// resolved fills in what the templates say, for the commands that have some; the plan is nil for the others, and for
// those that the decider will not take as the environment stands.
func (t *turn) resolved(s *environment.State, in environment.Input) (environment.Input, *plan.Plan, error) {
	switch in := in.(type) {
	case environment.CreateInput:
		if s.Exists() {
			return in, nil, nil
		}
		templates, err := t.catalogued(in.Create.Templates)
		if err != nil {
			return in, nil, err
		}
		p, resolved, err := t.resolve(s, templates, in.Create.Parameters)
		in.Resolved = resolved
		return in, p, err
	case environment.UpdateInput:
		if !s.Exists() || s.Busy() {
			return in, nil, nil
		}
		templates, err := t.templates(s, in.Update.Templates)
		if err != nil {
			return in, nil, err
		}
		p, resolved, err := t.resolve(s, templates, over(environment.Given(s.Parameters, s.Given), in.Update.Parameters))
		in.Resolved = resolved
		return in, p, err
	}
	if in, ok := in.(environment.PlanInput); ok {
		return t.proposed(s, in)
	}
	if in, ok := in.(environment.AdoptInput); ok {
		return t.adopting(s, in)
	}
	return t.originated(s, in)
}

// proposed is as resolved for what somebody thinks of: an update, or a create where there is nothing.
func (t *turn) proposed(s *environment.State, in environment.PlanInput) (environment.Input, *plan.Plan, error) {
	if in.Destroy || s.Busy() || s.Status == environment.DestroyFailed {
		return in, nil, nil
	}
	if in, p, taken, err := t.proposedOrigin(s, in); taken {
		return in, p, err
	}
	parameters := in.Proposal.Parameters
	find := func() ([]*template.Template, error) { return t.catalogued(in.Proposal.Templates) }
	switch {
	case s.Exists():
		parameters = over(environment.Given(s.Parameters, s.Given), parameters)
		find = func() ([]*template.Template, error) { return t.templates(s, in.Proposal.Templates) }
	case len(in.Proposal.Templates) == 0:
		return in, nil, fault.New(fault.Reject, fault.Invalid, "there is no environment %q yet: field \"templates\" has to say what it is to be made of", s.Name)
	}
	templates, err := find()
	if err != nil {
		return in, nil, err
	}
	p, resolved, err := t.resolve(s, templates, parameters)
	if in.Resolved = resolved; err == nil {
		err = t.canAdopt(in.Proposal.Adopt, in.Resolved.Nodes)
	}
	return in, p, err
}

// resolve makes of templates and parameters what the environment is to be; of one that is there it says which parameters change.
func (t *turn) resolve(s *environment.State, templates []*template.Template, parameters map[string]json.RawMessage) (*plan.Plan, environment.Resolved, error) {
	p, err := plan.Resolve(plan.Request{Environment: s.Name, Templates: templates, Parameters: parameters, Box: t.p.Box})
	if err != nil {
		return nil, environment.Resolved{}, err
	}
	resolved := environment.Resolved{Nodes: p.Nodes(), Templates: p.Templates(), Parameters: p.Parameters(), Given: named(parameters), Groups: p.Groups(),
		Moves: p.Moves(), Parallelism: p.Parallelism(), Sources: p.Sources(), Lifetime: p.Lifetime(), Standing: p.Standing(), Approvals: p.Approvals()}
	if s.Exists() {
		resolved.Changed = t.differing(s.Parameters, resolved.Parameters)
	}
	return p, resolved, errors.Join(t.keep(templates), t.acyclic(s.Name, p.Nodes()))
}

// templates are those that an update names, or the ones that the environment was made from, as they were then.
func (t *turn) templates(s *environment.State, refs []string) ([]*template.Template, error) {
	if len(refs) > 0 {
		return t.catalogued(refs)
	}
	return t.kept(s.Templates)
}

func (t *turn) catalogued(refs []string) ([]*template.Template, error) {
	list := make([]*template.Template, len(refs))
	for i, ref := range refs {
		var err error
		if list[i], err = t.p.Catalogue.Get(t.ctx, ref); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// named are the names of the parameters that have a value, sorted.
func named(parameters map[string]json.RawMessage) []string {
	names := []string{}
	for name, v := range parameters {
		if !isNull(v) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func isNull(v json.RawMessage) bool { return strings.TrimSpace(string(v)) == "null" }
