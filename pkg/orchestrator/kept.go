package orchestrator

import (
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
)

// keptPlan resolves what a kept plan was made of: the templates as they were then, and its parameters.
func (t *turn) keptPlan(name string) func(environment.KeptPlan) (environment.Resolved, error) {
	return func(k environment.KeptPlan) (environment.Resolved, error) {
		s, known := t.p.states[name]
		if !known {
			s = environment.NewState(name)
		}
		templates, err := t.kept(k.Templates)
		if err != nil {
			return environment.Resolved{}, err
		}
		p, resolved, err := t.resolve(s, templates, environment.Given(k.Parameters, k.Given))
		if err == nil {
			t.executing[name] = p
		}
		return resolved, err
	}
}

// carriedOut takes over what a decision has begun to carry out, and forgets what it has not.
func (t *turn) carriedOut(name string, facts []environment.Fact) {
	p := t.executing[name]
	if p == nil {
		return
	}
	delete(t.executing, name)
	for _, f := range facts {
		switch f.Body.(type) {
		case environment.Created, environment.Updated:
			t.plans[name] = p
		}
	}
}

// attach gives a task the saved plan that it carries out; the decider has asked for it before it offered the step.
func (t *turn) attach(s *environment.State, n *environment.Step, p environment.SavedPlan, task *event.Task) {
	kept, err := t.state(place{s.Name, p.Place(n.Address)})
	if err != nil {
		t.states.err = err
		return
	}
	task.Plan = string(kept.Data)
}
