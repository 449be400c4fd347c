package environment

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

func guarded(n Node) Node {
	n.PreventDestroy = true
	return n
}

func retained(n Node) Node {
	n.Retain = true
	return n
}

// refused sends a command that may not be taken.
func (st *stage) refused(code fault.Code, in Input, words ...string) {
	st.Helper()
	types, answer := st.decide(in)
	require.Equal(st, []string{"command.rejected"}, types)
	require.Equal(st, code, answer.Error.Code)
	for _, word := range words {
		require.Contains(st, answer.Error.Message, word)
	}
}

func meta(id string) CommandMeta { return CommandMeta{CommandID: id, RequestedBy: "tester"} }

func TestWhatMayNotBeDestroyedIsNot(t *testing.T) {
	st := deployed(t, guarded(node("db")), node("api", "db"))
	st.refused(fault.Protected, DestroyInput{CommandMeta: meta("2"), Destroy: event.Destroy{Force: true}}, "db may not be destroyed")
	st.refused(fault.Protected, UpdateInput{CommandMeta: meta("3"), Resolved: Resolved{Nodes: []Node{node("api")}}}, "db")
	st.refused(fault.Protected, PlanInput{CommandMeta: meta("4"), Proposal: event.Proposal{Destroy: true}}, "db")
	st.refused(fault.Protected, PlanInput{CommandMeta: meta("5"), Resolved: Resolved{Nodes: []Node{node("api")}}}, "db")
	st.update("6", node("db"), node("api", "db"))
	types, answer := st.decide(DestroyInput{CommandMeta: meta("7")})
	require.True(t, answer.Accepted)
	require.Equal(t, []string{"environment.destroying", "step.waiting api"}, types)
}

func TestAPlanThatWouldReplaceWhatMayNotBeFails(t *testing.T) {
	st := deployed(t, guarded(node("db")))
	db := guarded(node("db"))
	db.Description = "other"
	st.plan.nodes["db"] = db
	_, answer := st.decide(PlanInput{CommandMeta: meta("2"), Resolved: Resolved{Nodes: []Node{db}}})
	require.True(t, answer.Accepted)
	st.decide(ResultInput{event.Result{TaskRef: st.ref("db"), Runner: "r/1", Plan: &event.Plan{Change: event.ChangeReplace}}})
	require.Equal(t, OperationFailed, st.s.Operation.Status)
	require.Equal(t, fault.Protected, st.s.Operation.Plan.Steps[0].Error.Code)
	require.Equal(t, Deployed, st.s.Status)
}

func TestWhatIsRetainedIsForgottenAndTakenBack(t *testing.T) {
	st := deployed(t, node("network"), retained(node("db", "network")))
	st.s.Step("db").StateHash = "abc"
	types, _ := st.decide(DestroyInput{CommandMeta: meta("2")})
	require.Equal(t, []string{"environment.destroying", "step.retained db", "step.waiting network"}, types)
	st.finish("network", nil)
	require.Equal(t, Destroyed, st.s.Status)
	c := st.s.Changes(0, 9)
	require.Equal(t, []Retained{{Address: "db", Executor: "x", Operation: "op-2", At: st.now}}, c.Environments[0].Retained)
	require.Equal(t, 1, c.Environments[0].Resources[StatusRetained])

	st.create("3", event.Create{}, node("network"), node("db", "network"))
	require.Empty(t, st.s.Retained)
	require.True(t, st.s.Step("db").Exists)
	require.Equal(t, "abc", st.s.Step("db").StateHash)
	st.finish("network", broken)
	require.Equal(t, []string{"environment.destroying", "step.waiting db"}, first(st.decide(DestroyInput{CommandMeta: meta("4")})), "it is there, whoever made it")
}

func first(types []string, _ *event.Answer) []string { return types }

func TestAnUpdateLeavesWhatIsRetainedWithItsRecord(t *testing.T) {
	st := deployed(t, retained(node("db")), node("api"))
	require.Contains(t, st.update("2", node("api")), "step.retained db")
	require.Equal(t, Deployed, st.s.Status)
	require.Nil(t, st.s.Step("db"))
	c := st.s.Changes(0, 9)
	require.Empty(t, c.Removed)
	require.Len(t, c.Environments[0].Retained, 1)
}

func TestNobodyIsNeededToRetain(t *testing.T) {
	st := deployed(t, retained(node("db")))
	d := st.d.Decide(st.s, Surroundings{Resolver: st.plan, Pool: func(string, string) Pool { return Pool{} }}, DestroyInput{CommandMeta: meta("2")}, st.now)
	require.True(t, d.Answer.Accepted)
	require.Equal(t, Destroyed, st.s.Status)
}

func TestALockedEnvironmentIsLeftAlone(t *testing.T) {
	st := deployed(t, node("db"))
	require.Equal(t, []string{"environment.locked"}, first(st.decide(LockInput{CommandMeta: meta("2"), Lock: event.Lock{Reason: "audit"}})))
	st.refused(fault.Locked, DestroyInput{CommandMeta: meta("3")}, "tester", "audit", "2023-")
	st.refused(fault.Locked, UpdateInput{CommandMeta: meta("4"), Resolved: Resolved{Nodes: []Node{node("db")}}})
	st.refused(fault.Locked, RunInput{CommandMeta: meta("5")})
	st.refused(fault.Locked, RetryInput{CommandMeta: meta("6")})
	st.refused(fault.Locked, LockInput{CommandMeta: meta("7")}, "audit")
	st.check("8")
	st.found("db", asLeft)
	require.NotNil(t, st.s.Changes(0, 9).Environments[0].Lock)
	require.Equal(t, []string{"environment.unlocked"}, first(st.decide(UnlockInput{CommandMeta: meta("9")})))
	st.refused(fault.Conflict, UnlockInput{CommandMeta: meta("10")}, "not locked")
	require.Equal(t, []string{"environment.destroying", "step.waiting db"}, first(st.decide(DestroyInput{CommandMeta: meta("11")})))
}

func TestLocksThatCantBe(t *testing.T) {
	st := newStage(t)
	st.refused(fault.NotFound, LockInput{CommandMeta: meta("1")})
	st.refused(fault.NotFound, UnlockInput{CommandMeta: meta("2")})
}

func TestPlannedDestructionWaitsForTheLock(t *testing.T) {
	st := deployed(t, node("db"))
	end := st.now.Add(2 * time.Hour)
	require.True(t, st.schedule("2", &end).Accepted)
	st.decide(LockInput{CommandMeta: meta("3"), Lock: event.Lock{Reason: "audit"}})
	require.Equal(t, []string{"environment.destruction-ahead"}, st.tick(end.Add(-time.Hour)))
	require.Equal(t, []string{"environment.destruction-held"}, st.tick(end))
	require.Empty(t, st.tick(end.Add(time.Minute)), "it is said once")
	require.Equal(t, fault.Locked, st.s.Changes(0, 9).Environments[0].DestroyHeld.Code)
	st.decide(UnlockInput{CommandMeta: meta("4")})
	require.Equal(t, []string{"environment.destroying", "step.waiting db"}, st.tick(end.Add(2*time.Minute)))
	require.Nil(t, st.s.DestroyHeld)
}
