package main

import (
	"fmt"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
)

// needs tells each leaf what it has to wait for: what it depends on, or, where it is destroyed, what depends on it.
func (t *tree) needs(resources []environment.ResourceRecord) {
	for i := range resources {
		r := &resources[i]
		if l := t.leaves[r.Address]; l.verb != event.Destruct {
			l.needs = r.DependsOn
		}
		for _, on := range r.DependsOn {
			if l := t.leaves[on]; l != nil && l.verb == event.Destruct {
				l.needs = append(l.needs, r.Address)
			}
		}
	}
}

// why is what is said of a leaf: what it waits for as of now, how far it is, or why it failed.
func (t *tree) why(l *leaf) string {
	if l.health != nil && l.health.Status != event.Healthy && l.state.Ended() && l.state != environment.StateError {
		return fmt.Sprintf("%s: %s", l.health.Status, l.health.Detail)
	}
	switch l.state {
	case environment.StateBlocked:
		return t.blocked(l)
	case environment.StateQueued:
		if held := t.held(l); held != "" {
			return held
		}
	case environment.StateRunning:
		if l.progress != nil {
			return progressText(*l.progress)
		}
	}
	return l.note
}

func (t *tree) blocked(l *leaf) string {
	if len(l.needs) == 0 {
		return l.note
	}
	var open []string
	for _, address := range l.needs {
		if other := t.leaves[address]; other != nil && other.state != "" && !other.state.Ended() {
			open = append(open, t.label(other))
		}
	}
	switch {
	case len(open) > 0 && l.verb == event.Destruct:
		return "waits until these are gone: " + severalOf(open)
	case len(open) > 0:
		return "waits for " + severalOf(open)
	default:
		return t.held(l)
	}
}

// held says what keeps all steps of the operation, or of the leaf's pool, from being started.
func (t *tree) held(l *leaf) string {
	if t.paused {
		return "paused"
	}
	return t.holds[[2]string{l.pool, l.ability()}]
}

// ability is what a runner has to have for the leaf's step.
func (l *leaf) ability() string {
	if l.verb == event.Validate && l.probe != "" {
		return l.probe
	}
	return l.executor
}

// hold takes a fact about a pool, or about another environment.
func (t *tree) hold(b environment.Held) {
	if b.Environment != "" {
		t.stale = true // the records say whom it concerns
		if b.Reason != nil {
			t.news = fmt.Sprintf("%-10s %s", "held", cut(b.Reason.Detail, 400))
		}
		return
	}
	key := [2]string{b.Pool, b.Executor}
	if b.Reason != nil {
		if t.holds == nil {
			t.holds = map[[2]string]string{}
		}
		t.holds[key] = b.Reason.Detail
		t.news = fmt.Sprintf("%-10s %s", "held", cut(b.Reason.Detail, 400))
		return
	}
	delete(t.holds, key)
	for _, l := range t.leaves {
		if l.state == environment.StateQueued && l.pool == b.Pool && l.ability() == b.Executor {
			l.note = "" // it was as of when the tree was read
		}
	}
}

// pause takes the fact that an operation is paused, or goes on.
func (t *tree) pause(on bool, reason string) {
	t.paused, t.news = on, "resumed"
	if on {
		t.news = "paused"
		if reason != "" {
			t.news = fmt.Sprintf("%-10s %s", "paused", cut(reason, 400))
		}
		return
	}
	for _, l := range t.leaves {
		if l.state == environment.StateQueued {
			l.note = ""
		}
	}
}

func progressText(p event.Progress) string {
	switch {
	case p.Total > 0 && p.Message != "":
		return fmt.Sprintf("%d of %d: %s", p.Done, p.Total, p.Message)
	case p.Total > 0:
		return fmt.Sprintf("%d of %d", p.Done, p.Total)
	case p.Message != "":
		return p.Message
	case p.Done > 0:
		return fmt.Sprintf("%d done", p.Done)
	default:
		return ""
	}
}
