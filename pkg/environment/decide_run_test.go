package environment

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

func action(name string, runOn []Occasion, deps ...string) Node {
	return Node{Address: "t.action." + name, Name: name, Type: ActionNode, Executor: "action", RunOn: runOn, DependsOn: deps}
}

func (st *stage) run(id, action string) ([]string, *event.Answer) {
	return st.decide(RunInput{CommandMeta: CommandMeta{CommandID: id}, Run: event.Run{Action: action}})
}

func TestActionsWaitForTheirOccasion(t *testing.T) {
	nodes := []Node{node("a"), action("backup", []Occasion{OnDemand}, "a"), action("farewell", []Occasion{OnDestroy}, "a"),
		action("seed", nil, "t.action.backup"), node("b", "t.action.farewell")}
	st := newStage(t, nodes...)
	st.create("1", event.Create{}, nodes...)
	require.Equal(t, []string{"step.complete a", "step.waiting t.action.seed", "step.waiting b"}, st.finish("a", nil), "what takes no part passes the order on")
	st.finish("b", nil)
	st.finish("t.action.seed", nil)
	require.Equal(t, Deployed, st.s.Status)
	require.Equal(t, Idle, st.s.Step("t.action.backup").Status)

	types, answer := st.run("2", "backup")
	require.True(t, answer.Accepted, "%v", answer.Error)
	require.Equal(t, []string{"environment.running", "step.waiting t.action.backup"}, types)
	require.Equal(t, Running, st.s.Status)
	_, again := st.run("3", "backup")
	require.Equal(t, fault.Busy, again.Error.Code)
	require.Equal(t, []string{"step.error t.action.backup", "operation.finished", "environment.deployed"}, st.finish("t.action.backup", broken))
	require.Equal(t, OperationFailed, st.s.Operation.Status)
	require.Nil(t, st.s.Error, "the environment is what it was")
	require.Equal(t, Idle, st.s.Step("t.action.backup").Status)
	require.Equal(t, StateError, st.s.Step("t.action.backup").State)
	st.run("4", "t.action.backup")
	st.finish("t.action.backup", nil)
	require.Equal(t, Deployed, st.s.Step("t.action.backup").Status)
	require.Equal(t, OperationSucceeded, st.s.Operation.Status)

	types, _ = st.decide(DestroyInput{CommandMeta: CommandMeta{CommandID: "5"}})
	require.Equal(t, []string{"environment.destroying", "step.waiting b"}, types)
	require.Equal(t, []string{"step.complete b", "step.waiting t.action.farewell"}, st.finish("b", nil))
	require.Equal(t, []string{"step.error t.action.farewell", "step.skipped a", "operation.finished", "environment.destroy-failed"},
		st.finish("t.action.farewell", broken), "what it depends on stays until it has run")
	types, _ = st.decide(RetryInput{CommandMeta: CommandMeta{CommandID: "6"}})
	require.Equal(t, []string{"environment.destroying", "step.waiting t.action.farewell"}, types)
	st.finish("t.action.farewell", nil)
	st.finish("a", nil)
	require.Equal(t, Destroyed, st.s.Status)
}

func TestNoFarewellToWhatWasNeverThere(t *testing.T) {
	nodes := []Node{node("a"), node("b", "a"), action("farewell", []Occasion{OnDestroy}, "b")}
	st := newStage(t, nodes...)
	st.create("1", event.Create{}, nodes...)
	st.finish("a", nil)
	st.finish("b", broken)
	types, _ := st.decide(DestroyInput{CommandMeta: CommandMeta{CommandID: "2"}})
	require.Equal(t, []string{"environment.destroying", "step.waiting b"}, types)
}

func TestOnlyWhatRunsOnDemandIsRun(t *testing.T) {
	nodes := []Node{node("a"), action("seed", nil), action("backup", []Occasion{OnDemand})}
	st := newStage(t, nodes...)
	_, answer := st.run("0", "backup")
	require.Equal(t, fault.NotFound, answer.Error.Code)
	st.create("1", event.Create{}, nodes...)
	st.finish("a", nil)
	st.finish("t.action.seed", nil)
	_, answer = st.run("2", "seed")
	require.Equal(t, fault.Conflict, answer.Error.Code)
	require.Contains(t, answer.Error.Message, "run_on")
	_, answer = st.run("3", "a")
	require.Equal(t, fault.NotFound, answer.Error.Code)
	require.Contains(t, answer.Error.Message, "t.action.backup")
}

// Found by the simulation: an update made a farewell depend on what it did not before, and failed before it came to it.
func TestAFarewellComesBeforeWhatItDependsOnSinceAnUpdateThatFailed(t *testing.T) {
	both := []Occasion{OnCreate, OnUpdate, OnDestroy}
	st := deployed(t, node("a"), action("hello", both))
	later := []Node{described(node("a"), "more"), action("hello", both, "a")}
	st.update("2", later...)
	st.finish("a", broken)
	require.Equal(t, Failed, st.s.Status)
	data, err := st.s.Snapshot()
	require.NoError(t, err)
	st.s, err = Restore(data)
	require.NoError(t, err)
	types, _ := st.part("3", event.Destroy{})
	require.Equal(t, []string{"environment.destroying", "step.waiting t.action.hello"}, types)
	require.Equal(t, []string{"step.complete t.action.hello", "step.waiting a"}, st.finish("t.action.hello", nil))
}

// Neither is first where each is to be before the other: what stands on it goes first.
func TestAFarewellThatTurnsRound(t *testing.T) {
	both := []Occasion{OnCreate, OnUpdate, OnDestroy}
	st := deployed(t, action("hello", both), node("a", "t.action.hello"))
	st.update("2", described(node("a"), "more"), action("hello", both, "a"))
	st.finish("a", broken)
	types, _ := st.part("3", event.Destroy{})
	require.Equal(t, []string{"environment.destroying", "step.waiting a"}, types)
}
