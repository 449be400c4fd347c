package environment

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

func farewell(address string, after ...string) Node {
	return Node{Address: address, Type: ActionNode, Executor: "action", RunOn: []Occasion{OnDestroy}, DependsOn: after, Description: "bye"}
}

func TestAnUpdateRunsTheActionsOfWhatGoesBeforeItGoes(t *testing.T) {
	st := deployed(t, node("db"), farewell("dump", "db"), node("aside"), farewell("other", "aside"))
	types := st.update("2", node("aside"), farewell("other", "aside"))
	require.Equal(t, []string{"environment.updating", "environment.deploying", "step.waiting dump"}, types, "and not what is of a resource that stays")
	offer := st.all[len(st.all)-1].Body.(StepWaiting)
	require.Equal(t, event.Apply, offer.Verb)
	require.Contains(t, string(offer.Inputs), "byedb", "what the former templates say, with what db has put out")
	require.Equal(t, []string{"step.complete dump", "step.waiting db"}, st.finish("dump", nil))
	require.Equal(t, []string{"step.complete db", "environment.validating", "operation.finished", "environment.deployed"}, st.finish("db", nil))
	require.Nil(t, st.s.Step("dump"))
}

func TestAnActionThatGoesAloneHasNoOccasion(t *testing.T) {
	st := deployed(t, node("db"), farewell("dump", "db"))
	require.Equal(t, []string{"environment.updating", "environment.deploying", "environment.validating", "operation.finished", "environment.deployed"}, st.update("2", node("db")))
}

func TestWhatCouldNotBeSaidGoodbyeToStays(t *testing.T) {
	st := deployed(t, node("db"), farewell("dump", "db"), node("aside"))
	st.update("2", node("aside"))
	require.Equal(t, []string{"step.error dump", "step.skipped db", "operation.finished", "environment.failed"}, st.finish("dump", broken))
	inputs := string(st.s.Step("dump").Parting.Inputs)

	types, answer := st.decide(RetryInput{CommandMeta: from("3", "")})
	require.True(t, answer.Accepted)
	require.Equal(t, "step.waiting dump", types[2], "a retry does it by what was recorded")
	st.finish("dump", broken)
	require.Equal(t, "step.waiting dump", st.update("4", node("aside"))[2], "and so does the next update")
	require.Equal(t, inputs, string(st.all[len(st.all)-1].Body.(StepWaiting).Inputs))
	st.finish("dump", broken)

	data, err := st.s.Snapshot()
	require.NoError(t, err)
	st.s, err = Restore(data)
	require.NoError(t, err)
	types, _ = st.decide(DestroyInput{CommandMeta: from("5", "")})
	require.Equal(t, []string{"environment.destroying", "step.waiting dump", "step.waiting aside"}, types, "and so does the destroy of all")
	require.Equal(t, []string{"step.complete dump", "step.waiting db"}, st.finish("dump", nil))
}

func TestAPlanShowsTheActionsOfWhatGoes(t *testing.T) {
	st := deployed(t, node("db"), farewell("dump", "db"), node("aside"))
	in := PlanInput{CommandMeta: from("2", ""), Resolved: Resolved{Nodes: []Node{node("aside")}}}
	st.plan = echo{nodes: map[string]Node{"aside": node("aside")}, order: in.Nodes}
	types, answer := st.decide(in)
	require.True(t, answer.Accepted, "%v", answer.Error)
	require.Equal(t, []string{"environment.planning", "step.waiting dump", "step.waiting db"}, types)
	for _, step := range []string{"dump", "db"} {
		st.decide(ResultInput{event.Result{TaskRef: st.ref(step), Runner: "r/1", Plan: &event.Plan{Change: event.ChangeDestroy}}})
	}
	types, answer = st.decide(ApplyInput{CommandMeta: from("3", ""), ApplyPlan: event.ApplyPlan{Plan: "op-2"}})
	require.True(t, answer.Accepted, "%v", answer.Error)
	require.Equal(t, []string{"environment.updating", "environment.deploying", "step.waiting dump"}, types)
	st.finish("dump", nil)
	st.finish("db", nil)
	require.Equal(t, Deployed, st.s.Status)
}

func TestAnActionOfWhatGoesThatCanNotBeWorkedOut(t *testing.T) {
	st := deployed(t, node("db"), farewell("dump", "db"))
	d := st.d.Decide(st.s, Surroundings{Resolver: echo{nodes: map[string]Node{}}, Before: kindless{}}, UpdateInput{CommandMeta: from("2", "")}, st.now)
	require.Equal(t, fault.ExecutorUnknown, d.Answer.Error.Code)
	require.Contains(t, d.Answer.Error.Message, "dump has to run before")
	require.Equal(t, Deployed, st.s.Status)
}

// What it depends on since an update that failed goes after it, too.
func TestAnActionGoesBeforeWhatAnUpdateThatFailedMadeItDependOn(t *testing.T) {
	both := []Occasion{OnCreate, OnUpdate, OnDestroy}
	st := deployed(t, node("a"), action("hello", both))
	st.update("2", described(node("a"), "more"), action("hello", both, "a"))
	st.finish("a", broken)
	require.Equal(t, []string{"environment.updating", "environment.deploying", "step.waiting t.action.hello"}, st.update("3"))
	data, err := st.s.Snapshot()
	require.NoError(t, err)
	st.s, err = Restore(data)
	require.NoError(t, err)
	require.Equal(t, []string{"step.complete t.action.hello", "step.waiting a"}, st.finish("t.action.hello", nil))
	require.Equal(t, Deployed, func() Status { st.finish("a", nil); return st.s.Status }())
}
