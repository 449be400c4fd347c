package plugin

import (
	"context"
	"time"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/plugin/internal/wire"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// targetTimeout bounds what a plugin may take to name a target, which asks nobody.
const targetTimeout = 2 * time.Second

// Target is what the plugin names, "" when it does not answer: the task will tell why.
func (p *Plugin) Target(r executor.Request) string {
	if !p.description.GetTargets() {
		return ""
	}
	_, calls, err := p.running()
	if err != nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(context.Background(), targetTimeout)
	defer cancel()
	answer, err := calls.Target(ctx, toRequest(r))
	if err != nil {
		return ""
	}
	return r.Mask(answer.GetTarget())
}

// Plan asks the plugin.
func (p *Plugin) Plan(ctx context.Context, r executor.Request, verb event.Verb) (executor.Plan, error) {
	what := wire.Start_PLAN_APPLY
	if verb == event.Destruct {
		what = wire.Start_PLAN_DESTROY
	}
	answer, err := p.run(ctx, what, r)
	if err != nil {
		return executor.Plan{}, err
	}
	plan := fromPlan(r, answer.GetPlan())
	if !known(plan.Change) {
		return executor.Plan{}, p.nonsense(r, "change", string(plan.Change))
	}
	return plan, p.readable(r, plan.Differences)
}

// Apply asks the plugin.
func (p *Plugin) Apply(ctx context.Context, r executor.Request) (executor.Outputs, error) {
	answer, err := p.run(ctx, wire.Start_APPLY, r)
	if err != nil {
		return nil, err
	}
	return p.fromOutputs(r, answer.GetOutputs())
}

// Destroy asks the plugin.
func (p *Plugin) Destroy(ctx context.Context, r executor.Request) error {
	_, err := p.run(ctx, wire.Start_DESTROY, r)
	return err
}

// Observe asks the plugin.
func (p *Plugin) Observe(ctx context.Context, r executor.Request) (event.Observation, error) {
	unknown := event.Observation{Presence: event.PresenceUnknown}
	answer, err := p.run(ctx, wire.Start_OBSERVE, r)
	if err != nil {
		return unknown, err
	}
	o := answer.GetObservation()
	found := event.Observation{Presence: event.Presence(o.GetPresence()), Drifted: o.GetDrifted(), Differences: fromDifferences(r, o.GetDifferences())}
	switch found.Presence {
	case event.Present, event.Absent, event.PresenceUnknown:
	default:
		return unknown, p.nonsense(r, "presence", string(found.Presence))
	}
	return found, p.readable(r, found.Differences)
}

func (p *Plugin) readable(r executor.Request, differences []event.Difference) error {
	for _, d := range differences {
		if !known(d.Change) {
			return p.nonsense(r, "change", string(d.Change))
		}
	}
	return nil
}

func known(c event.Change) bool {
	for _, one := range event.Changes() {
		if c == one {
			return true
		}
	}
	return false
}

func (p *Plugin) nonsense(r executor.Request, what, said string) error {
	return fault.New(fault.GiveUp, fault.ExecutorFailed, "the plugin %s answered for %s with a %s %q, which there is none of: tell its author",
		p.name(), r.Step, what, r.Mask(said))
}
