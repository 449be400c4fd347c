package environment

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

func (st *stage) adopt(id string, resources map[string]json.RawMessage, nodes ...Node) ([]string, *event.Answer) {
	st.plan.nodes = map[string]Node{}
	for _, n := range nodes {
		st.plan.nodes[n.Address] = n
	}
	return st.decide(AdoptInput{CommandMeta: meta(id), Adopt: event.Adopt{Resources: resources}, Resolved: Resolved{Nodes: nodes}})
}

func TestAnAdoptionIsWantedUntilItSucceedsOrIsGivenUp(t *testing.T) {
	st := newStage(t)
	types, answer := st.adopt("1", map[string]json.RawMessage{"db": json.RawMessage(`"the-db"`)}, node("db"), node("api", "db"))
	require.True(t, answer.Accepted, "%v", answer.Error)
	require.Equal(t, []string{"environment.created", "environment.deploying", "step.waiting db"}, types)
	require.JSONEq(t, `"the-db"`, string(st.s.Step("db").Adopt.ID))
	st.finish("db", broken)
	st.decide(RetryInput{CommandMeta: meta("2")})
	require.NotNil(t, st.s.Step("db").Adopt)
	st.finish("db", broken)
	_, answer = st.adopt("3", map[string]json.RawMessage{"db": json.RawMessage("null")}, node("db"), node("api", "db"))
	require.True(t, answer.Accepted, "%v", answer.Error)
	require.Nil(t, st.s.Step("db").Adopt, "it is made after all")
	st.finish("db", broken)
	st.decide(AdoptInput{CommandMeta: meta("4"), Adopt: event.Adopt{Resources: map[string]json.RawMessage{"db": json.RawMessage("true")}, Force: true},
		Resolved: Resolved{Nodes: []Node{node("db"), node("api", "db")}}})
	require.True(t, st.s.Step("db").Adopt.Force)
	st.finish("db", nil)
	require.Nil(t, st.s.Step("db").Adopt)
	st.finish("api", nil)
	require.Equal(t, Deployed, st.s.Status)
	types, answer = st.adopt("5", map[string]json.RawMessage{"old": json.RawMessage(`{"a":"b"}`)}, node("db"), node("api", "db"), node("old"))
	require.True(t, answer.Accepted, "%v", answer.Error)
	require.Equal(t, []string{"environment.updating", "environment.deploying", "step.waiting old"}, types)
	require.Equal(t, event.EnvironmentAdopt, st.s.outcome("5").Command)
}

func TestAdoptionsThatCantBe(t *testing.T) {
	st := deployed(t, node("db"))
	for address, code := range map[string]fault.Code{"db": fault.Conflict, "none": fault.NotFound, "act": fault.Invalid} {
		act := node("act")
		act.Type = ActionNode
		_, answer := st.adopt(address, map[string]json.RawMessage{address: json.RawMessage("true")}, node("db"), act)
		require.False(t, answer.Accepted)
		require.Equal(t, code, answer.Error.Code, address)
	}
}

func TestAPlanOfAnAdoption(t *testing.T) {
	st := newStage(t)
	st.propose(event.Proposal{Adopt: map[string]json.RawMessage{"db": json.RawMessage("true")}}, node("db"), node("api"))
	require.JSONEq(t, "true", string(st.s.Step("db").Adopt.ID))
	require.Nil(t, st.s.Step("api").Adopt)
}
