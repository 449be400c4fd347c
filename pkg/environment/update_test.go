package environment

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

func (st *stage) update(id string, nodes ...Node) []string {
	st.plan.nodes = map[string]Node{}
	for _, n := range nodes {
		st.plan.nodes[n.Address] = n
	}
	types, answer := st.decide(UpdateInput{CommandMeta: CommandMeta{CommandID: id}, Resolved: Resolved{Nodes: nodes}})
	require.True(st, answer.Accepted, "%v", answer.Error)
	return types
}

func described(n Node, what string) Node {
	n.Description = what
	return n
}

func deployed(t *testing.T, nodes ...Node) *stage {
	st := newStage(t, nodes...)
	st.create("1", event.Create{}, nodes...)
	for _, n := range nodes {
		st.finish(n.Address, nil)
	}
	require.Equal(t, Deployed, st.s.Status)
	return st
}

func TestWhatGoesIsDestroyedAfterWhatStoodOnItWasSeenTo(t *testing.T) {
	st := deployed(t, node("disk"), node("db", "disk"), node("api", "db"), node("aside"))
	require.Equal(t, []string{"environment.updating", "environment.deploying", "step.waiting api"}, st.update("2", node("api"), node("aside")),
		"db waits for api, which stands on it, and disk for db")
	require.Equal(t, []string{"step.complete api", "step.waiting db"}, st.finish("api", nil))
	require.Equal(t, event.Destruct, st.s.Step("db").Verb)
	require.Equal(t, []string{"step.complete db", "step.waiting disk"}, st.finish("db", nil))
	require.Equal(t, []string{"step.complete disk", "environment.validating", "operation.finished", "environment.deployed"}, st.finish("disk", nil))
	require.Len(t, st.s.Nodes, 2)
	require.ElementsMatch(t, []Removal{{ResourceName{"notes", "db"}, "db"}, {ResourceName{"notes", "disk"}, "disk"}}, st.s.Changes(0, 1).Removed)
}

func TestAFailedUpdateKeepsWhatItWouldHaveDestroyed(t *testing.T) {
	st := deployed(t, node("db"), node("api", "db"))
	st.update("2", node("api"))
	require.Equal(t, []string{"step.error api", "step.skipped db", "operation.finished", "environment.failed"}, st.finish("api", broken))
	require.True(t, st.s.Step("db").Exists, "api may still stand on it")

	types, answer := st.decide(RetryInput{CommandMeta: CommandMeta{CommandID: "3"}})
	require.True(t, answer.Accepted)
	require.Equal(t, []string{"environment.retrying", "environment.deploying", "step.waiting api"}, types)
	require.Equal(t, []string{"step.complete api", "step.waiting db"}, st.finish("api", nil))
	st.finish("db", nil)
	require.Equal(t, Deployed, st.s.Status)
	require.Len(t, st.s.Nodes, 1)
}

func TestADestroyAfterAFailedUpdateKeepsToWhatReallyStandsOnWhat(t *testing.T) {
	st := deployed(t, node("db"), node("api", "db"))
	st.update("2", node("api"))
	st.finish("api", broken)
	types, _ := st.decide(DestroyInput{CommandMeta: CommandMeta{CommandID: "3"}})
	require.Equal(t, []string{"environment.destroying", "step.waiting api"}, types)
	require.Equal(t, []string{"step.complete api", "step.waiting db"}, st.finish("api", nil))
	require.Equal(t, []string{"step.complete db", "operation.finished", "environment.destroyed"}, st.finish("db", nil))
}

func TestADependentIsLeftAloneWhenWhatItGetsIsTheSame(t *testing.T) {
	st := deployed(t, node("db"), node("api", "db"))
	require.Equal(t, []string{"environment.updating", "environment.deploying", "step.waiting db"}, st.update("2", described(node("db"), "larger"), node("api", "db")))
	require.Equal(t, []string{"step.complete db", "step.unchanged api", "environment.validating", "operation.finished", "environment.deployed"}, st.finish("db", nil))
}

func TestActionsOfAnUpdate(t *testing.T) {
	action := func(address string, on Occasion, deps ...string) Node {
		n := node(address, deps...)
		n.Type, n.RunOn = ActionNode, []Occasion{on}
		return n
	}
	once, again := action("once", OnCreate, "db"), action("again", OnUpdate, "db")
	st := deployed(t, node("db"), once)
	require.Equal(t, []string{"environment.updating", "environment.deploying", "environment.validating", "operation.finished", "environment.deployed"},
		st.update("2", node("db"), once, again), "nothing has changed that it could run for")
	require.Equal(t, Idle, st.s.Step("again").Status)
	st.update("3", described(node("db"), "larger"), once, again)
	require.Equal(t, []string{"step.complete db", "step.waiting again"}, st.finish("db", nil))
	require.Equal(t, []string{"step.complete again", "environment.validating", "operation.finished", "environment.deployed"}, st.finish("again", nil))
}

func TestUpdateOfWhatIsNotThere(t *testing.T) {
	refused := func(st *stage, code fault.Code) {
		t.Helper()
		_, answer := st.decide(UpdateInput{CommandMeta: CommandMeta{CommandID: "9"}})
		require.False(t, answer.Accepted)
		require.Equal(t, code, answer.Error.Code)
	}
	refused(newStage(t), fault.NotFound)
	st := newStage(t, node("a"))
	st.create("1", event.Create{}, node("a"))
	refused(st, fault.Busy)
	st = deployed(t, node("a"))
	st.decide(DestroyInput{CommandMeta: CommandMeta{CommandID: "2"}})
	st.finish("a", broken)
	refused(st, fault.Conflict)
}

func TestAnActionWhoseOccasionsWereOthersHasNotRun(t *testing.T) {
	act := Node{Address: "act", Type: ActionNode, Executor: "x", RunOn: []Occasion{OnUpdate}, Probed: true}
	st := newStage(t, act)
	st.create("1", event.Create{}, act)
	st.finish("act", nil) // it answers
	require.Equal(t, Deployed, st.s.Status)
	act.RunOn = []Occasion{OnCreate}
	require.Equal(t, []string{"environment.updating", "environment.deploying", "step.waiting act"}, st.update("2", act))
	st.finish("act", nil)
	st.finish("act", nil)
	require.Equal(t, []string{"environment.updating", "environment.deploying", "environment.validating", "step.waiting act"}, st.update("3", act), "it has run")
}
