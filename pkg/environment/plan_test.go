package environment

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// propose asks for a plan of an update to these nodes.
func (st *stage) propose(p event.Proposal, nodes ...Node) []string {
	st.plan.nodes, st.plan.order = map[string]Node{}, nodes
	for _, n := range nodes {
		st.plan.nodes[n.Address] = n
	}
	types, answer := st.decide(PlanInput{CommandMeta: CommandMeta{CommandID: "p" + operationID(st.s.Operations)}, Proposal: p, Resolved: Resolved{Nodes: nodes}})
	require.True(st, answer.Accepted, "%v", answer.Error)
	return types
}

func (st *stage) tell(step string, plan event.Plan) []string {
	types, _ := st.decide(ResultInput{event.Result{TaskRef: st.ref(step), Runner: "r/1", StartedAt: st.now, FinishedAt: st.now, Plan: &plan}})
	return types
}

func TestAPlanAsksOnlyOfWhatMayChange(t *testing.T) {
	st := deployed(t, node("db"), node("api", "db"), node("aside"), node("old"))
	require.Equal(t, []string{"environment.planning", "step.waiting db", "step.waiting api", "step.waiting old"},
		st.propose(event.Proposal{}, described(node("db"), "larger"), node("api", "db"), node("aside")), "at once: nothing of it waits")
	api, old := st.s.Step("api"), st.s.Step("old")
	require.Equal(t, map[string][]string{"given": {"db"}}, api.Unknown)
	require.Equal(t, event.Apply, api.Proposes)
	require.Equal(t, event.Destruct, old.Proposes)
	require.JSONEq(t, `{"given":""}`, string(old.Inputs), "what it was given last")
	st.tell("old", event.Plan{Change: event.ChangeDestroy})
	st.tell("api", event.Plan{Change: event.ChangeUnknown, Until: []string{"db"}})
	require.Equal(t, []string{"step.planned db", "step.complete db", "operation.finished", "environment.planned"}, st.tell("db", event.Plan{Change: event.ChangeUpdate}))
	require.Equal(t, Deployed, st.s.Status)
	require.Len(t, st.s.Nodes, 4)
	c := st.s.Changes(0, 9)
	o := c.Operations[len(c.Operations)-1]
	require.Equal(t, map[event.Change]int{event.ChangeNone: 1, event.ChangeUpdate: 1, event.ChangeUnknown: 1, event.ChangeDestroy: 1}, o.Plan.Counts)
	require.Equal(t, []string{"db", "api", "old"}, []string{o.Plan.Steps[0].Address, o.Plan.Steps[1].Address, o.Plan.Steps[2].Address})
}

func TestAPlanIsBoundedAndTellsWhatItCouldNotLearn(t *testing.T) {
	st := newStage(t)
	st.propose(event.Proposal{}, node("a"), node("b"), node("c"))
	require.Equal(t, Planning, st.s.Status)
	many := event.Plan{Change: event.ChangeCreate, Differences: make([]event.Difference, mostShown-1)}
	st.tell("a", many)
	st.tell("b", many)
	require.Equal(t, []string{"step.error c", "operation.finished", "environment.planned"}, st.finish("c", broken))
	require.Equal(t, Planned, st.s.Status)
	require.False(t, st.s.Exists())
	p := st.s.Operation.Plan
	require.Equal(t, mostShown, p.Shown)
	require.Equal(t, mostShown-2, p.Steps[1].Omitted)
	require.Equal(t, broken, p.Steps[2].Error)
	require.Equal(t, 1, p.Counts[event.ChangeUnknown])
	require.Equal(t, OperationFailed, st.s.Operation.Status)
}

func TestAStateThatALookSavesIsRefused(t *testing.T) {
	st := deployed(t, node("db"))
	st.propose(event.Proposal{Destroy: true})
	types, _ := st.decide(StateInput{TaskRef: st.ref("db"), Runner: "r/1", Number: 1, StateRef: StateRef{Hash: "h"}})
	require.Equal(t, []string{"result.refused"}, types)
}

func TestPlansThatCantBeTaken(t *testing.T) {
	refused := func(st *stage, code fault.Code, p event.Proposal) {
		t.Helper()
		_, answer := st.decide(PlanInput{CommandMeta: CommandMeta{CommandID: "9" + string(code)}, Proposal: p})
		require.False(t, answer.Accepted)
		require.Equal(t, code, answer.Error.Code)
	}
	refused(newStage(t), fault.NotFound, event.Proposal{Destroy: true})
	st := deployed(t, node("db"))
	st.propose(event.Proposal{Destroy: true})
	refused(st, fault.Busy, event.Proposal{})
	st.tell("db", event.Plan{Change: event.ChangeDestroy})
	st.decide(DestroyInput{CommandMeta: CommandMeta{CommandID: "3"}})
	st.finish("db", broken)
	refused(st, fault.Conflict, event.Proposal{})
	require.Equal(t, []string{"environment.planning", "step.waiting db"}, st.propose(event.Proposal{Destroy: true}))
}
