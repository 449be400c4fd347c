package orchestrator

import (
	"encoding/json"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/plan"
)

// sealed prepares an update that is going to wait: it is resolved as things are now, so that what is wrong with it is said at
// once, and its sensitive parameters are sealed, since it is journalled. When it begins it is resolved again.
func (t *turn) sealed(s *environment.State, in environment.Input) (environment.Input, error) {
	u, is := in.(environment.UpdateInput)
	if !is || u.WhenBusy != event.QueueWhenBusy || !s.Exists() || !s.Busy() {
		return in, nil
	}
	templates, err := t.templates(s, u.Update.Templates)
	if err != nil {
		return in, err
	}
	p, err := plan.Resolve(plan.Request{Environment: s.Name, Templates: templates, Parameters: over(environment.Given(s.Parameters, s.Given), u.Update.Parameters), Box: t.p.Box})
	if err != nil {
		return in, err
	}
	if u.Update.Parameters == nil {
		return in, nil
	}
	effective := p.Parameters()
	parameters := make(map[string]json.RawMessage, len(u.Update.Parameters))
	for name, v := range u.Update.Parameters {
		if parameters[name] = v; !isNull(v) {
			parameters[name] = effective[name]
		}
	}
	u.Update.Parameters = parameters
	return u, nil
}

// begin lets the command that has waited begin, in the turn in which the operation before it has ended: so none comes in between,
// and a server that is killed finds both or neither.
func (t *turn) begin(s *environment.State) error {
	q := *s.Queued
	meta := environment.CommandMeta{CommandID: q.CommandID, RequestedBy: q.RequestedBy}
	in, err := t.read(event.Envelope{Subject: s.Name, Data: q.Data}, q.Command, meta)
	var resolved *plan.Plan
	if err == nil {
		in, resolved, err = t.resolved(s, in)
	}
	if err != nil {
		in = environment.RejectInput{CommandMeta: meta, Command: q.Command, Error: fault.From(err)}
	}
	return t.record(s, t.judge(s, environment.BeginInput{Command: in}, resolved).Facts)
}

// judge lets the decider decide on a command, and keeps the plan of what that begins.
func (t *turn) judge(s *environment.State, in environment.Input, resolved *plan.Plan) environment.Decision {
	d := t.p.decider.Decide(s, t.around(s.Name, t.resolverOf(resolved, s.Name)), in, t.now)
	if resolved != nil && d.Answer != nil && d.Answer.Accepted {
		t.plans[s.Name] = resolved
	}
	return d
}
