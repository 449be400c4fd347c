package environment

import (
	"slices"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/vivarium-env/vivarium/pkg/event"
)

// destroyPart destroys a group, and nothing outside of it that was not asked for.
func (w *world) destroyPart() {
	group := rapid.SampledFrom([]string{"g", "h"}).Draw(w.t, "part")
	in := DestroyInput{CommandMeta: w.meta(), Destroy: event.Destroy{Groups: []string{group}, Cascade: rapid.Bool().Draw(w.t, "cascade"), DespiteConsumers: true}}
	w.others.despite = true
	there := map[string]bool{}
	for _, n := range w.state.real() {
		there[n.Address] = n.Exists && n.Type == ResourceNode
	}
	if !w.decide(in).Accepted {
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
