package environment

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
)

func (st *stage) moves(id string, moves []Move, nodes ...Node) []string {
	st.plan.nodes = map[string]Node{}
	for _, n := range nodes {
		st.plan.nodes[n.Address] = n
	}
	types, answer := st.decide(UpdateInput{CommandMeta: CommandMeta{CommandID: id}, Resolved: Resolved{Nodes: nodes, Moves: moves}})
	require.True(st, answer.Accepted, "%v", answer.Error)
	return types
}

// nothing is what an update says in which nothing runs.
var nothing = []string{"environment.updating", "environment.deploying", "environment.validating", "operation.finished", "environment.deployed"}

func named(n Node, name string) Node {
	n.Name = name
	return n
}

func TestARenameRunsNothing(t *testing.T) {
	st := deployed(t, named(node("api"), "api"), node("site", "api"))
	st.s.Changes(0, 1)
	require.Equal(t, nothing, st.moves("2", []Move{{From: "api", To: "web"}}, named(node("web"), "api"), node("site", "web")))
	web := st.s.Step("web")
	require.Equal(t, "api", web.ID())
	require.True(t, web.Exists)
	require.NotNil(t, web.Outputs)
	require.Nil(t, st.s.Step("api"))

	c := st.s.Changes(0, 2)
	require.Equal(t, []Removal{{ResourceName: ResourceName{"notes", "api"}}}, c.Removed, "its record goes, its state stays")
	require.Equal(t, map[string]string{"web": "api"}, c.Environments[0].Moved)
	require.Equal(t, "web", c.Resources[0].Address)
	require.Equal(t, []string{"web"}, c.Resources[1].DependsOn)

	types, _ := st.decide(DestroyInput{CommandMeta: CommandMeta{CommandID: "3"}})
	require.Equal(t, []string{"environment.destroying", "step.waiting site"}, types)
	require.Equal(t, []string{"step.complete site", "step.waiting web"}, st.finish("site", nil))
	require.Equal(t, []string{"step.complete web", "operation.finished", "environment.destroyed"}, st.finish("web", nil))
}

func TestWhoTakesAFreedAddressIsSomebodyElse(t *testing.T) {
	st := deployed(t, node("api"))
	st.moves("2", []Move{{From: "api", To: "web"}}, node("web"))
	require.Equal(t, []string{"environment.updating", "environment.deploying", "step.waiting api"}, st.moves("3", nil, node("api"), node("web")))
	require.Equal(t, "api", st.s.Step("web").ID())
	require.Equal(t, "api~2", st.s.Step("api").ID())
	late, _ := st.decide(ResultInput{event.Result{TaskRef: st.called("api", "api"), Runner: "r/1"}})
	require.Equal(t, []string{"result.refused"}, late, "api is what web is known by")
	types, _ := st.decide(ResultInput{event.Result{TaskRef: st.called("api", "api~2"), Runner: "r/1"}})
	require.Equal(t, "step.complete api", types[0])

	st.moves("4", nil, node("api"), node("web"), node("aside"))
	require.Equal(t, "api~2", st.s.Step("api").ID(), "it stays who it is")
	require.Equal(t, "aside", st.s.Step("aside").ID())
}

// called is an attempt of a step under some name.
func (st *stage) called(address, name string) event.TaskRef {
	ref := st.ref(address)
	ref.Step = name
	return ref
}

func TestInstancesMoveWithTheirKeys(t *testing.T) {
	st := deployed(t, node(`a["x"]`), node(`a["y"]`), node("ab"))
	require.Equal(t, nothing, st.moves("2", []Move{{From: "a", To: "b", Whole: true}}, node(`b["x"]`), node(`b["y"]`), node("ab")))
	require.Equal(t, `a["x"]`, st.s.Step(`b["x"]`).ID())
	require.Equal(t, nothing, st.moves("3", []Move{{From: `b["x"]`, To: "single"}, {From: `b["y"]`, To: "c[0]"}}, node("single"), node("c[0]"), node("ab")))
	require.Equal(t, nothing, st.moves("4", []Move{{From: "single", To: `d["k"]`}}, node(`d["k"]`), node("c[0]"), node("ab")))
	require.Equal(t, `a["x"]`, st.s.Step(`d["k"]`).ID())
}

func TestChainsOfMovesLeadThroughVersionsThatWereLeftOut(t *testing.T) {
	chain := []Move{{From: "a", To: "b"}, {From: "b", To: "c"}}
	for _, first := range []string{"a", "b", "c"} {
		st := deployed(t, node(first))
		require.Equal(t, nothing, st.moves("2", chain, node("c")))
		require.Equal(t, first, st.s.Step("c").ID())
	}
}

func TestNobodyMovesToWhereSomebodyIs(t *testing.T) {
	st := deployed(t, node("api"), node("web"))
	require.Equal(t, []string{"environment.updating", "environment.deploying", "step.waiting api"}, st.moves("2", []Move{{From: "api", To: "web"}}, node("web")))
	require.True(t, st.s.Step("api").Doomed)
	require.Equal(t, event.Destruct, st.s.Step("api").Verb)
}

func TestAMovedNodeThatHasChangedIsAppliedInPlace(t *testing.T) {
	st := deployed(t, node("db"), node("api", "db"))
	require.Equal(t, []string{"environment.updating", "environment.deploying", "step.waiting web"},
		st.moves("2", []Move{{From: "api", To: "web"}}, node("db"), described(node("web", "db"), "larger")))
	require.Equal(t, event.Apply, st.s.Step("web").Verb)
	require.Len(t, st.s.Nodes, 2)
}

func TestAPlanTellsOfMoves(t *testing.T) {
	st := deployed(t, node("api"))
	st.plan.nodes = map[string]Node{"web": node("web")}
	types, answer := st.decide(PlanInput{CommandMeta: CommandMeta{CommandID: "2"}, Resolved: Resolved{Nodes: []Node{node("web")}, Moves: []Move{{From: "api", To: "web"}}}})
	require.True(t, answer.Accepted)
	require.Equal(t, []string{"environment.planning", "operation.finished", "environment.planned", "environment.deployed"}, append(types, string("environment.")+string(st.s.Status)))
	require.Equal(t, []Moved{{From: "api", To: "web"}}, st.s.Operation.Plan.Moved)
	require.Equal(t, map[event.Change]int{event.ChangeNone: 1}, st.s.Operation.Plan.Counts)
	require.NotNil(t, st.s.Step("api"), "it was only a plan")
}

func TestWhatIsUnwrittenWhenTheGraphIsReplacedIsWritten(t *testing.T) {
	st := newStage(t, node("a"), node("z"))
	st.create("1", event.Create{}, node("a"), node("z"))
	st.s.Changes(0, 1)
	st.finish("a", nil)
	st.finish("z", nil)
	st.update("2", node("b"), node("c"), node("a"), node("z")) // in the same turn
	status := map[string]Status{}
	for _, r := range st.s.Changes(0, 2).Resources {
		status[r.Address] = r.Status
	}
	require.Equal(t, map[string]Status{"a": Deployed, "z": Deployed, "b": Deploying, "c": Deploying}, status)
}
