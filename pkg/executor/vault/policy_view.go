package vault

import (
	"context"
	"fmt"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
)

// Plan compares the rules line by line.
func (e *policyExecutor) Plan(ctx context.Context, r executor.Request, verb event.Verb) (executor.Plan, error) {
	return planOf(ctx, e, r, verb)
}

// Observe looks for a policy of this step, and whether its rules are those of the last apply.
func (e *policyExecutor) Observe(ctx context.Context, r executor.Request) (event.Observation, error) {
	return observationOf(ctx, e, r)
}

func (*policyExecutor) identity() []string { return []string{"name"} }

func (e *policyExecutor) both(ctx context.Context, r executor.Request) (s session, b policyBlock, err error) {
	if s, err = e.begin(ctx, r); err == nil {
		b, err = decodePolicy(r)
	}
	return s, b, err
}

func (e *policyExecutor) traces(ctx context.Context, r executor.Request) (owned []string, err error) {
	s, b, err := e.both(ctx, r)
	if err != nil {
		return nil, err
	}
	for _, name := range b.names(r) {
		now, err := s.policy(ctx, name)
		if err != nil {
			return nil, err
		}
		if now.exists && now.owner() == s.owner() {
			owned = append(owned, policyPath(name))
		}
	}
	return owned, nil
}

func (e *policyExecutor) view(ctx context.Context, r executor.Request) (v view, err error) {
	s, b, err := e.both(ctx, r)
	if err != nil {
		return v, err
	}
	now, err := s.policy(ctx, b.Name)
	if err != nil {
		return v, err
	}
	if v.there = now.exists; v.there {
		if err := s.ourPolicy(b.Name, now); err != nil {
			return v, err
		}
	}
	if before := outputText(r, "name"); before != "" && before != b.Name {
		v.elsewhere = true
		v.asked = append(v.asked, gone(r, policyPath(before)))
	}
	want := s.marked(b.Rules)
	if !now.exists {
		v.asked = append(v.asked, s.ruleDifference("", want, event.ChangeCreate))
		v.left = []event.Difference{gone(r, policyPath(b.Name))}
		return v, nil
	}
	if now.text != want {
		v.asked = append(v.asked, s.ruleDifference(now.text, want, event.ChangeUpdate))
		v.left = append(v.left, s.ruleDifference(want, now.text, event.ChangeUpdate))
	}
	return v, nil
}

// ruleDifference shows the lines that differ, from the first to the last.
func (s session) ruleDifference(before, after string, change event.Change) event.Difference {
	was, is := rules(before), rules(after)
	first := 0
	for first < min(len(was), len(is)) && was[first] == is[first] {
		first++
	}
	for len(was) > first && len(is) > first && was[len(was)-1] == is[len(is)-1] {
		was, is = was[:len(was)-1], is[:len(is)-1]
	}
	path := fmt.Sprintf("rules, line %d", first+1)
	if (policy{text: before}).sensitive() || (policy{text: after}).sensitive() {
		return concealed(path, change)
	}
	d := open(s.r, path, strings.Join(was[first:], "\n"), strings.Join(is[first:], "\n"))
	if d.Change = change; change == event.ChangeCreate {
		d.Before = ""
	}
	return d
}

// rules are the lines of a policy's text without its mark.
func rules(text string) []string {
	_, body, found := strings.Cut(text, "\n")
	if !found || !strings.HasPrefix(text, policyMark) {
		body = text
	}
	return strings.Split(body, "\n")
}
