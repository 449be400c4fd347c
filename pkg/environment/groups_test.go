package environment

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

func in(group string, n Node) Node {
	n.Group = group
	return n
}

func (st *stage) part(id string, d event.Destroy) ([]string, *event.Answer) {
	return st.decide(DestroyInput{CommandMeta: CommandMeta{CommandID: id}, Destroy: d})
}

func TestAGroupIsDestroyedAloneAndMadeAgainByAnUpdate(t *testing.T) {
	nodes := []Node{in("network", node("net")), in("app", node("api", "net")), in("app", node("web", "api")), node("aside")}
	st := deployed(t, nodes...)
	types, answer := st.part("2", event.Destroy{Groups: []string{"app"}})
	require.True(t, answer.Accepted, "%v", answer.Error)
	require.Equal(t, []string{"environment.destroying", "step.waiting web"}, types)
	st.finish("web", nil)
	require.Equal(t, []string{"step.complete api", "operation.finished", "environment.deployed"}, st.finish("api", nil))
	require.True(t, st.s.Step("net").Exists)
	require.Equal(t, []string{"app"}, st.s.downGroups())

	require.Equal(t, []string{"environment.updating", "environment.deploying", "step.waiting api"}, st.update("3", nodes...))
	st.finish("api", nil)
	st.finish("web", nil)
	require.Equal(t, Deployed, st.s.Status)
	require.Empty(t, st.s.downGroups())
}

func TestAGroupOnWhichOthersStand(t *testing.T) {
	st := deployed(t, in("network", node("net")), in("app", node("api", "net")))
	_, answer := st.part("2", event.Destroy{Groups: []string{"network"}})
	require.False(t, answer.Accepted)
	require.Contains(t, answer.Error.Message, "api stands on it")
	_, answer = st.part("3", event.Destroy{Groups: []string{"nowhere"}})
	require.Equal(t, fault.NotFound, answer.Error.Code)
	types, _ := st.part("4", event.Destroy{Groups: []string{"network"}, Cascade: true})
	require.Equal(t, []string{"environment.destroying", "step.waiting api"}, types)
	st.finish("api", broken)
	require.Equal(t, Failed, st.s.Status)

	types, _ = st.decide(RetryInput{CommandMeta: CommandMeta{CommandID: "5"}})
	require.Equal(t, []string{"environment.destroying", "step.waiting api"}, types, "a retry goes on with it")
	st.finish("api", nil)
	st.finish("net", nil)
	require.Equal(t, []string{"app", "network"}, st.s.downGroups())
	types, _ = st.part("6", event.Destroy{})
	require.Equal(t, []string{"environment.destroying", "operation.finished", "environment.destroyed"}, types)
}

func TestGroupsThatMayNotBeDestroyed(t *testing.T) {
	protected, retained := in("app", node("db")), in("kept", node("disk"))
	protected.PreventDestroy, retained.Retain = true, true
	st := deployed(t, protected, retained, in("free", node("api")))
	for _, group := range []string{"app", "kept"} {
		_, answer := st.part(group, event.Destroy{Groups: []string{group}})
		require.Equal(t, fault.Protected, answer.Error.Code)
	}
}

func TestAGroupOfWhichAnEarlierDestroyHasLeftSomething(t *testing.T) {
	st := deployed(t, in("db", node("db")), in("app", node("api")))
	st.part("2", event.Destroy{Groups: []string{"db"}})
	st.finish("db", broken)
	st.part("3", event.Destroy{Groups: []string{"app"}})
	require.Equal(t, []string{"step.complete api", "operation.finished", "environment.failed"}, st.finish("api", nil), "db is there, and is to be gone")
	require.Contains(t, st.s.Error.Message, "db")
	types, _ := st.decide(RetryInput{CommandMeta: CommandMeta{CommandID: "4"}})
	require.Equal(t, []string{"environment.destroying", "step.waiting db"}, types)
	require.Equal(t, []string{"step.complete db", "operation.finished", "environment.deployed"}, st.finish("db", nil))
}

// TestALookBetweenADestroyThatFailedAndItsRetry: the retry goes on with what was begun, also where it is an environment's hours.
func TestALookBetweenADestroyThatFailedAndItsRetry(t *testing.T) {
	st := deployed(t, node("a"))
	st.part("2", event.Destroy{Force: true})
	st.finish("a", broken)
	st.s.Operation.Hours = true
	for _, id := range []string{"3", "4"} {
		st.decide(PlanInput{CommandMeta: CommandMeta{CommandID: id}, Proposal: event.Proposal{Destroy: true}})
		st.decide(ResultInput{event.Result{TaskRef: st.ref("a"), Runner: "r/1", Plan: &event.Plan{Change: event.ChangeDestroy}}})
	}
	st.decide(RetryInput{CommandMeta: CommandMeta{CommandID: "5"}})
	require.Equal(t, DestroyOperation, st.s.Operation.Kind)
	require.Equal(t, []bool{true, true}, []bool{st.s.Operation.Force, st.s.Operation.Hours})
}

func TestOutputsOfAGroupThatOthersUse(t *testing.T) {
	s := newStreet(t, in("app", Node{Address: "api", Type: ResourceNode}), Node{Address: "db", Type: ResourceNode})
	s.finish("api")
	s.finish("db")
	s.State.Sources, s.State.Outputs = map[string][]string{"url": {"api"}, "host": {"db"}}, json.RawMessage(`{"url":1,"host":2}`)
	s.users = []Consumer{{Environment: "shop", Address: "web", Output: "url"}}
	d := DestroyInput{CommandMeta: CommandMeta{CommandID: "2"}, Destroy: event.Destroy{Groups: []string{"app"}}}
	require.Equal(t, fault.Consumed, s.decide(d).Error.Code)
	d.CommandID, d.DespiteConsumers = "3", true
	require.True(t, s.decide(d).Accepted)
	s.finish("api")
	require.Equal(t, Deployed, s.Status)
	require.JSONEq(t, `{"host":2}`, string(s.State.Outputs), "what came from it is gone")
}
