package environment

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// What the simulation has found when it was made to hold each story's end against a create of what was wanted last.

func onUpdate(address string, deps ...string) Node {
	n := node(address, deps...)
	n.Type, n.RunOn = ActionNode, []Occasion{OnUpdate}
	return n
}

func TestTheRetryOfACreateIsNothingToRunActionsOfUpdatesFor(t *testing.T) {
	nodes := []Node{node("db"), onUpdate("tell", "db")}
	st := newStage(t, nodes...)
	st.create("1", event.Create{}, nodes...)
	st.finish("db", broken)
	st.decide(RetryInput{CommandMeta: meta("2")})
	st.finish("db", nil)
	require.Equal(t, Deployed, st.s.Status)
	require.False(t, st.s.Step("tell").Due)
}

func TestAnActionThatHasFailedAndNeedNotRunAnyMoreHasNotFailed(t *testing.T) {
	act := node("act", "db")
	act.Type = ActionNode
	st := newStage(t, node("db"), act)
	st.create("1", event.Create{}, node("db"), act)
	st.finish("db", nil)
	st.finish("act", broken)
	st.update("2", node("db"), onUpdate("act"))
	require.Equal(t, Deployed, st.s.Status)
	require.Equal(t, Idle, st.s.Step("act").Status)
	require.Nil(t, st.s.Step("act").Stands)
}

func TestAnActionThatWasToRunAndIsNotAnyMoreIsNotMissing(t *testing.T) {
	st := newStage(t, node("db"), onUpdate("act", "db"))
	st.create("1", event.Create{}, node("db"), onUpdate("act", "db"))
	st.finish("db", nil)
	st.update("2", described(node("db"), "larger"), onUpdate("act", "db"))
	st.finish("db", broken)
	require.Equal(t, Failed, st.s.Status)
	later := onUpdate("act", "db")
	later.RunOn = []Occasion{OnDestroy}
	st.update("3", described(node("db"), "larger"), later)
	st.finish("db", nil)
	require.Equal(t, Deployed, st.s.Status)
	require.False(t, st.s.Step("act").Stale)
	require.Empty(t, st.s.missing())
}

// TestAnActionWithAnEndpointThatAnswersHasNotRun: when it came to be one that runs while the environment is made, it was not run.
func TestAnActionWithAnEndpointThatAnswersHasNotRun(t *testing.T) {
	act := onUpdate("act")
	act.Probed = true
	st := newStage(t, act)
	st.create("1", event.Create{}, act)
	st.finish("act", nil)
	require.Equal(t, Deployed, st.s.Status)
	require.Equal(t, Idle, st.s.Step("act").Status)
	require.Equal(t, event.Healthy, st.s.Step("act").Health.Status)
	act.RunOn = []Occasion{OnCreate}
	st.update("2", act)
	require.Equal(t, event.Apply, st.last().(StepWaiting).Verb)
}

func TestAnActionThatTheTemplatesDoNotHaveAnyMoreIsNotRun(t *testing.T) {
	act := node("act")
	act.Type, act.RunOn = ActionNode, []Occasion{OnDemand}
	st := newStage(t, node("db"), act)
	st.create("1", event.Create{}, node("db"), act)
	st.finish("db", nil)
	st.update("2", described(node("db"), "larger"))
	st.finish("db", broken)
	require.NotNil(t, st.s.Step("act"), "it is not gone yet")
	_, answer := st.decide(RunInput{CommandMeta: meta("3"), Run: event.Run{Action: "act"}})
	require.Equal(t, fault.NotFound, answer.Error.Code)
}

func TestAnEndpointThatIsTakenAwayIsNotShownAsHealthy(t *testing.T) {
	db := node("db")
	db.Probed = true
	st := newStage(t, db)
	st.create("1", event.Create{}, db)
	st.finish("db", nil)
	st.finish("db", nil)
	require.NotNil(t, st.s.Step("db").Health)
	st.update("2", node("db"))
	require.Equal(t, Deployed, st.s.Status)
	require.Nil(t, st.s.Step("db").Health)
	require.Nil(t, st.s.Step("db").Endpoint)
}

// TestAFailedAdoptionIsRetriedWhereUpdatesAreApproved: the plan of such a retry was made, could not be carried out, and said nothing of that.
func TestAFailedAdoptionIsRetriedWhereUpdatesAreApproved(t *testing.T) {
	st := ruled(t, event.Approval{For: []string{ForUpdate}}, node("db"))
	_, answer := st.adopt("2", map[string]json.RawMessage{"old": json.RawMessage(`"it"`)}, node("db"), node("old"))
	require.True(t, answer.Accepted, "%v", answer.Error)
	st.finish("old", broken)
	require.Equal(t, Failed, st.s.Status)
	st.plan.order = []Node{node("db"), node("old")}
	_, answer = st.decide(RetryInput{CommandMeta: CommandMeta{CommandID: "3", RequestedBy: "/a"}})
	require.True(t, answer.Accepted, "%v", answer.Error)
	st.saves("old", event.Plan{Change: event.ChangeNone}, "this")
	require.Equal(t, StatusAwaitingApproval, st.s.Status)
	_, answer = st.judge("/b", true, event.Judgement{})
	require.True(t, answer.Accepted, "%v", answer.Error)
	require.JSONEq(t, `"it"`, string(st.s.Step("old").Adopt.ID), "it takes over what it was to take over")
	st.finish("old", nil)
	require.Equal(t, Deployed, st.s.Status)
}

func TestAnOrderWhosePlanCantBeCarriedOutFails(t *testing.T) {
	st := ruled(t, event.Approval{}, node("db"))
	st.ask("/a", event.Update{}, described(node("db"), "larger"))
	st.decide(ResultInput{event.Result{TaskRef: st.ref("db"), Runner: "r/1", Plan: &event.Plan{Change: event.ChangeUpdate}, Unkept: event.MaxState + 1}})
	require.Equal(t, Deployed, st.s.Status)
	require.Equal(t, OperationFailed, st.s.Operation.Status)
	require.Equal(t, fault.Invalid, st.s.Operation.Error.Code)
	require.Contains(t, st.s.Operation.Error.Message, "too large to be kept")
}

// TestDriftThatWasSeenBetweenOperationsVoidsPlans as drift does that a check has found.
func TestDriftThatWasSeenBetweenOperationsVoidsPlans(t *testing.T) {
	st := deployed(t, node("db"), node("api", "db"), node("aside"))
	kept := st.planned()
	st.seen("aside", asLeft)
	require.NotNil(t, st.s.KeptPlan(kept), "it is as it was left")
	st.seen("aside", drifted)
	require.Contains(t, st.stale(kept).Message, "a look has found aside")
	kept = st.planned()
	other := drifted
	other.Differences = []event.Difference{{Path: "else", Change: event.ChangeUpdate}}
	st.seen("aside", other)
	require.Contains(t, st.stale(kept).Message, "a look has found aside", "it has drifted on")
	kept = st.planned()
	st.seen("aside", asLeft)
	require.Contains(t, st.stale(kept).Message, "a look has found aside", "somebody has taken it back")
}

// TestAnActionRunsWhileAnotherGroupIsDown: the environment's outputs, which come from that as well, can't be worked out meanwhile.
func TestAnActionRunsWhileAnotherGroupIsDown(t *testing.T) {
	act := in("g", node("act"))
	act.Type, act.RunOn = ActionNode, []Occasion{OnDemand}
	st := newStage(t, in("h", node("db")), act)
	st.create("1", event.Create{}, in("h", node("db")), act)
	st.finish("db", nil)
	outputs := st.s.Outputs
	st.part("2", event.Destroy{Groups: []string{"h"}})
	st.finish("db", nil)
	require.Equal(t, []string{"h"}, st.s.downGroups())
	_, answer := st.decide(RunInput{CommandMeta: meta("3"), Run: event.Run{Action: "act"}})
	require.True(t, answer.Accepted, "%v", answer.Error)
	st.finish("act", nil)
	require.Equal(t, OperationSucceeded, st.s.Operation.Status, "%v", st.s.Operation.Error)
	require.Equal(t, Deployed, st.s.Status)
	require.Equal(t, outputs, st.s.Outputs, "those that remain are the last ones")
}

// TestStepsThatAreHeldAreRejectedTogether: the failure of the first one ended the second one, which was then to fail as well.
func TestStepsThatAreHeldAreRejectedTogether(t *testing.T) {
	nodes := []Node{node("db"), node("cache")}
	larger := []Node{described(node("db"), "larger"), described(node("cache"), "larger")}
	st := deployed(t, nodes...)
	st.propose(event.Proposal{}, larger...)
	id := st.s.Operation.ID
	st.plan.order = larger
	for _, n := range nodes {
		st.tell(n.Address, event.Plan{Change: event.ChangeUpdate})
	}
	_, answer := st.decide(ApplyInput{CommandMeta: meta("a"), ApplyPlan: event.ApplyPlan{Plan: id, FailFast: true}})
	require.True(t, answer.Accepted, "%v", answer.Error)
	for _, n := range nodes {
		st.tell(n.Address, event.Plan{Change: event.ChangeReplace})
	}
	require.Len(t, st.s.awaiting().Steps, 2)
	_, answer = st.judge("/b", false, event.Judgement{})
	require.True(t, answer.Accepted, "%v", answer.Error)
	require.Equal(t, Failed, st.s.Status)
}
