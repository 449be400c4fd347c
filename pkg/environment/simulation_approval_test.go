package environment

import (
	"reflect"
	"slices"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// people are who sends commands.
var people = []string{"/a", "/b", "/c"}

// drawRule is a rule, or none.
func (w *world) drawRule() *event.Approval {
	if rapid.IntRange(0, 2).Draw(w.t, "rule") > 0 {
		return nil
	}
	return &event.Approval{
		For:  rapid.SampledFrom([][]string{nil, {ForUpdate}, {ForDestroy}}).Draw(w.t, "for"),
		When: rapid.SampledFrom([]string{WhenAlways, WhenDestroys, WhenNever}).Draw(w.t, "when"),
		By:   rapid.SampledFrom([][]string{nil, {"/b"}, {"/*"}}).Draw(w.t, "by"), Self: rapid.Bool().Draw(w.t, "self"),
	}
}

// templateRules are those of templates: mostly none.
func (w *world) templateRules() []Approval {
	if rapid.IntRange(0, 5).Draw(w.t, "template rules") > 0 {
		return nil
	}
	rule := w.drawRule()
	if rule == nil || rule.When == WhenNever {
		return nil
	}
	a, err := NewApproval(*rule)
	require.NoError(w.t, err)
	a.Template = "t"
	return []Approval{a}
}

// judge approves or rejects, whether anything waits or not.
func (w *world) judge() {
	who := rapid.SampledFrom(people).Draw(w.t, "who")
	meta := w.meta()
	meta.RequestedBy = who
	r := w.state.awaiting()
	if rapid.IntRange(0, 3).Draw(w.t, "no") == 0 {
		answer := w.decide(RefuseInput{CommandMeta: meta})
		late := r != nil && answer.Error != nil && (answer.Error.Code == fault.Expired || answer.Error.Code == fault.Conflict || answer.Error.Code == fault.NotApproved)
		require.True(w.t, answer.Accepted == (r != nil) || late, "%v", answer.Error)
		return
	}
	may := false
	if r != nil {
		may = r.Awaits != nil && r.takes(who, r.RequestedBy)
		for _, step := range r.Steps {
			may = may || step.takes(who, r.RequestedBy)
		}
	}
	answer := w.decide(ApproveInput{CommandMeta: meta})
	require.False(w.t, answer.Accepted && !may, "%s was let approve %+v", who, r)
}

// ruled: what the rules ask for has been approved before it begins, and nobody has approved what he himself asked for unless that
// is allowed.
func (w *world) ruled(f Fact) {
	p := w.planner
	switch b := f.Body.(type) {
	case Created:
		if p.rules = b.Approvals; b.Planned {
			p.rules = w.state.Approvals
		}
	case StatusPlanning:
		p.asker, p.given, p.order = b.RequestedBy, nil, b.Order
	case Updated:
		if len(b.Adopts) == 0 {
			w.checkRules(ForUpdate, b.Plan)
			w.checkRulesChange(b)
		}
		p.rules, w.healing, p.byPlan = b.Approvals, b.Heal, b.Plan != ""
		if p.byPlan {
			w.past = append(w.past, b.Nodes)
		}
		p.asker, p.given = b.RequestedBy, nil
	case StatusDestroying:
		if !b.Hours {
			w.checkRules(ForDestroy, b.Plan)
		}
		p.asker, p.given = b.RequestedBy, nil
	case Redeploying:
		w.checkRules(ForUpdate, b.Plan)
		p.asker, p.given = b.RequestedBy, nil
	case StatusRetrying:
		require.True(w.t, b.Groups != nil || len(p.rules) == 0, "a retry that nobody has approved")
		w.checkRules(ForUpdate, b.Plan)
		p.asker, p.given = b.RequestedBy, nil
	case Approved:
		p.given = append(p.given, b.RequestedBy)
	}
}

// checkRulesChange: whom the rules in force name has approved that they become others.
func (w *world) checkRulesChange(b Updated) {
	p := w.planner
	if len(p.rules) == 0 || reflect.DeepEqual(slices.Clone(p.rules), slices.Clone(b.Approvals)) {
		return
	}
	for _, rule := range p.rules {
		require.NotEmpty(w.t, b.Plan, "other rules without a plan, and %+v is in force", rule)
		ok := slices.ContainsFunc(p.given, func(who string) bool { return rule.need().allows(who, p.asker) })
		require.True(w.t, ok, "other rules were approved by %v, asked for by %s; %+v is in force", p.given, p.asker, rule)
	}
}

func (w *world) checkRules(concern, plan string) {
	p := w.planner
	for _, rule := range p.rules {
		if !slices.Contains(rule.For, concern) {
			continue
		}
		require.NotEmpty(w.t, plan, "%s without a plan, and %+v is in force", concern, rule)
		if rule.When != WhenAlways {
			continue
		}
		ok := slices.ContainsFunc(p.given, func(who string) bool { return rule.need().allows(who, p.asker) })
		require.True(w.t, ok, "%s was approved by %v, asked for by %s; %+v is in force", concern, p.given, p.asker, rule)
	}
}

// think gives what an update is to lead to a template, by which it is found again.
func (w *world) think(in Input) Input {
	switch in := in.(type) {
	case UpdateInput:
		w.plan.order = in.Nodes
		in.Resolved.Templates, in.Resolved.Approvals = w.planner.think(w.plan), w.plan.rules
		return in
	case RollbackInput:
		w.plan.order = in.Nodes
		in.Resolved.Templates, in.Resolved.Approvals = w.planner.think(w.plan), w.plan.rules
		return in
	case PromoteInput:
		w.plan.order = in.Nodes
		in.Resolved.Templates, in.Resolved.Approvals = w.planner.think(w.plan), w.plan.rules
		return in
	case AdoptInput:
		in.Resolved.Approvals = w.plan.rules
		return in
	}
	return in
}
