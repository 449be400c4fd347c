package environment

import (
	"slices"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// seeThrough lets a plan of groups alone be made and approved of, now and then; it is rare that both come about otherwise.
func (w *world) seeThrough() {
	if w.state.aside() && w.state.Operation.Order != nil && rapid.IntRange(0, 2).Draw(w.t, "sees it through") > 0 {
		w.settle()
		w.judge()
		w.judge()
	}
}

// retryPart tries a group again.
func (w *world) retryPart(groups []string) {
	answer := w.decide(RetryInput{CommandMeta: w.of(rapid.SampledFrom(people).Draw(w.t, "asker")), Retry: event.Retry{Groups: groups, FailFast: rapid.Bool().Draw(w.t, "failfast")}})
	require.False(w.t, !answer.Accepted && answer.Error.Code == fault.NotApproved, "%v", answer.Error)
	w.seeThrough()
}

// destroyPart destroys a group, and nothing outside of it that was not asked for.
func (w *world) destroyPart() {
	group := rapid.SampledFrom([]string{"g", "h"}).Draw(w.t, "part")
	in := DestroyInput{CommandMeta: w.of(rapid.SampledFrom(people).Draw(w.t, "asker")), Destroy: event.Destroy{Groups: []string{group}, Force: rapid.IntRange(0, 3).Draw(w.t, "force") == 0,
		Cascade: rapid.Bool().Draw(w.t, "cascade"), DespiteConsumers: true}}
	w.others.despite = true
	there := map[string]bool{}
	for _, n := range w.state.real() {
		there[n.Address] = n.Exists && n.Type == ResourceNode
	}
	if answer := w.decide(in); !answer.Accepted || w.state.Operation.Kind != DestroyOperation {
		w.seeThrough() // where it is planned first
		return
	}
	for _, n := range w.state.Nodes {
		if there[n.Address] && w.state.takesPart(n) && n.Verb == event.Destruct && !in.Cascade {
			require.Equal(w.t, group, n.Group, "%s was not to be destroyed", n.Address)
		}
		stands := slices.ContainsFunc(n.DependsOn, func(d string) bool { return w.state.Step(d).Down })
		require.True(w.t, n.Down || !stands, "%s depends on what is down", n.Address)
	}
}
