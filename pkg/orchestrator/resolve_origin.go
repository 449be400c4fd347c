package orchestrator

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"slices"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/history"
	"github.com/vivarium-env/vivarium/pkg/plan"
	"github.com/vivarium-env/vivarium/pkg/secret"
	"github.com/vivarium-env/vivarium/pkg/store"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// originated is as resolved for the commands that take templates and parameters from a revision.
func (t *turn) originated(s *environment.State, in environment.Input) (environment.Input, *plan.Plan, error) {
	free := s.Exists() && !s.Busy()
	var p *plan.Plan
	var err error
	switch in := in.(type) {
	case environment.RollbackInput:
		if free {
			p, in.Resolved, _, err = t.rolledBack(s, in.Revision)
		}
		return in, p, err
	case environment.CloneInput:
		if !s.Exists() {
			p, in.Resolved, in.Origin, err = t.cloned(s.Name, in.From, in.Clone.Revision, in.Clone.Parameters)
		}
		return in, p, err
	case environment.PromoteInput:
		if free {
			in.Kept = s.Keeping(in.Keep)
			p, in.Resolved, in.Origin, err = t.promoted(s, in.From, in.Promote.Revision, in.Kept, in.Promote.Parameters)
		}
		return in, p, err
	}
	return in, nil, nil
}

// proposedOrigin is as originated for what somebody thinks of; taken is false when it is not of a revision.
func (t *turn) proposedOrigin(s *environment.State, in environment.PlanInput) (_ environment.PlanInput, p *plan.Plan, taken bool, err error) {
	switch o := in.Proposal; {
	case o.From == "" && o.Revision == 0:
		return in, nil, false, nil
	case o.From == "" && s.Exists():
		p, in.Resolved, in.Origin, err = t.rolledBack(s, o.Revision)
	case o.From == "":
		err = fault.New(fault.Reject, fault.NotFound, "there is no environment %q, so it has no revisions", s.Name)
	case s.Exists():
		p, in.Resolved, in.Origin, err = t.promoted(s, o.From, o.Revision, s.Keeping(o.Keep), o.Parameters)
	default:
		p, in.Resolved, in.Origin, err = t.cloned(s.Name, o.From, o.Revision, o.Parameters)
	}
	return in, p, true, err
}

func (t *turn) rolledBack(s *environment.State, number int) (*plan.Plan, environment.Resolved, *environment.Origin, error) {
	r, err := t.revision(s.Name, number)
	if err != nil {
		return nil, environment.Resolved{}, nil, err
	}
	p, resolved, err := t.again(s, r, r.Parameters)
	return p, resolved, &environment.Origin{Revision: r.Number}, err
}

func (t *turn) cloned(name, from string, number int, parameters map[string]json.RawMessage) (*plan.Plan, environment.Resolved, *environment.Origin, error) {
	r, err := t.revision(from, number)
	if err != nil {
		return nil, environment.Resolved{}, nil, err
	}
	p, resolved, err := t.again(environment.NewState(name), r, over(r.Parameters, parameters))
	return p, resolved, &environment.Origin{Environment: from, Revision: r.Number}, err
}

// promoted leaves what the environment keeps as it is: what it was given, and what it was not.
func (t *turn) promoted(s *environment.State, from string, number int, keep []string, parameters map[string]json.RawMessage) (*plan.Plan, environment.Resolved, *environment.Origin, error) {
	r, err := t.revision(from, number)
	if err == nil && number == 0 && r.Outcome != environment.OperationSucceeded {
		err = fault.New(fault.Reject, fault.Conflict, "the last revision of environment %q (%d) is %s: promote one that is deployed, or name this one", from, r.Number, r.Outcome)
	}
	if err != nil {
		return nil, environment.Resolved{}, nil, err
	}
	all, own := maps.Clone(r.Parameters), over(environment.Given(s.Parameters, s.Given), nil)
	for _, name := range keep {
		delete(all, name)
		if v, is := own[name]; is {
			all[name] = v
		}
	}
	p, resolved, err := t.again(s, r, over(all, parameters))
	return p, resolved, &environment.Origin{Environment: from, Revision: r.Number}, err
}

// kept are templates as the store keeps them, or is about to.
func (t *turn) kept(list []environment.Template) ([]*template.Template, error) {
	templates := make([]*template.Template, len(list))
	for i, meta := range list {
		var err error
		if r := slices.IndexFunc(t.batch.Templates, func(r store.TemplateRecord) bool { return r.Hash == meta.Hash }); r >= 0 {
			templates[i], err = t.p.plans.unpacked(meta, t.batch.Templates[r].Archive)
		} else {
			templates[i], err = t.p.plans.template(t.ctx, meta)
		}
		if err != nil {
			return nil, err
		}
	}
	return templates, nil
}

// over lays parameters over others; null takes one out.
func over(below, above map[string]json.RawMessage) map[string]json.RawMessage {
	all := maps.Clone(below)
	if all == nil {
		all = map[string]json.RawMessage{}
	}
	maps.Copy(all, above)
	maps.DeleteFunc(all, func(_ string, v json.RawMessage) bool { return isNull(v) })
	return all
}

// again resolves the templates of a revision, as they were.
func (t *turn) again(s *environment.State, r history.Revision, parameters map[string]json.RawMessage) (*plan.Plan, environment.Resolved, error) {
	templates, err := t.kept(r.Templates)
	if err != nil {
		return nil, environment.Resolved{}, err
	}
	return t.resolve(s, templates, parameters)
}

// revision finds one of an environment by its number; 0 is the last.
func (t *turn) revision(name string, number int) (history.Revision, error) {
	list, err := history.Revisions(t.ctx, ahead{t}, name)
	switch n := len(list); {
	case err != nil:
		return history.Revision{}, fault.Wrap(err, fault.Retry, fault.Unavailable, "the journal of environment %q can't be read: %v", clip(name), err)
	case n == 0:
		return history.Revision{}, fault.New(fault.Reject, fault.NotFound, "there is no environment %q", clip(name))
	case number > n:
		return history.Revision{}, fault.New(fault.Reject, fault.NotFound, "environment %q has no revision %d: its last one is %d", name, number, n)
	case number == 0:
		return list[n-1], nil
	default:
		return list[number-1], nil
	}
}

// ahead reads the journal with what this turn is about to write.
type ahead struct{ t *turn }

func (a ahead) Entries(ctx context.Context, s store.Selection) ([]store.Entry, error) {
	entries, err := a.t.p.Store.Entries(ctx, s)
	if err != nil || (s.Limit > 0 && len(entries) == s.Limit) {
		return entries, err // there is more in the store
	}
	for _, e := range a.t.batch.Entries {
		if e.Environment == s.Environment && e.Seq > s.After {
			entries = append(entries, e)
		}
	}
	return entries, nil
}

// differing are the parameters in force that become others. Secrets are opened to tell, and shown as such.
func (t *turn) differing(before, after map[string]json.RawMessage) []environment.ParameterChange {
	names := over(before, after)
	list := []environment.ParameterChange{}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		was, _, errWas := t.p.Box.Open(before[name])
		is, _, errIs := t.p.Box.Open(after[name])
		if errWas == nil && errIs == nil && bytes.Equal(was, is) {
			continue
		}
		list = append(list, environment.ParameterChange{Name: name, Before: secret.Show(before[name]), After: secret.Show(after[name])})
	}
	return list
}
