package environment

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

func TestWhatAnUpdateWouldDo(t *testing.T) {
	base := Node{Address: "t.x.base", Type: ResourceNode}
	old := Node{Address: "t.x.old", Type: ResourceNode}
	same := Node{Address: "t.x.same", Type: ResourceNode}
	top := Node{Address: "t.x.top", Type: ResourceNode, DependsOn: []string{"t.x.base"}}
	s := newStreet(t, base, old, same, top)
	for _, n := range []string{"t.x.base", "t.x.old", "t.x.same", "t.x.top"} {
		s.finish(n)
	}
	require.Equal(t, Deployed, s.Status)
	before, err := s.Snapshot()
	require.NoError(t, err)

	base.Description = "other"
	renamed := Node{Address: "t.x.new", Type: ResourceNode, Consumes: usesVPC}
	nodes := []Node{base, renamed, same, top}
	plan := echo{nodes: map[string]Node{}}
	for _, n := range nodes {
		plan.nodes[n.Address] = n
	}
	f, fail := s.decider.Foresee(s.State, Surroundings{Resolver: plan}, Resolved{Nodes: nodes}, s.now)
	require.Nil(t, fail)
	require.Equal(t, Foresight{Counts: map[event.Change]int{event.ChangeUpdate: 1, event.ChangeCreate: 1, event.ChangeUnknown: 1, event.ChangeDestroy: 1,
		event.ChangeNone: 1}, Steps: []Foreseen{
		{Address: "t.x.base", Type: ResourceNode, Change: event.ChangeUpdate},
		{Address: "t.x.new", Type: ResourceNode, Change: event.ChangeCreate, After: []string{"environment shared"}},
		{Address: "t.x.top", Type: ResourceNode, Change: event.ChangeUnknown, After: []string{"t.x.base"}},
		{Address: "t.x.old", Type: ResourceNode, Change: event.ChangeDestroy},
	}}, f)
	after, err := s.Snapshot()
	require.NoError(t, err)
	require.JSONEq(t, string(before), string(after), "nothing was decided")

	s.Step("t.x.old").PreventDestroy = true
	_, fail = s.decider.Foresee(s.State, Surroundings{Resolver: plan}, Resolved{Nodes: nodes}, s.now)
	require.Equal(t, fault.Protected, fail.Code)
}
