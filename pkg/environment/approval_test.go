package environment

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// ruled is a deployed environment of these nodes in which a rule is in force.
func ruled(t *testing.T, rule event.Approval, nodes ...Node) *stage {
	st := newStage(t, nodes...)
	st.plan.order = nodes
	st.create("1", event.Create{Approval: &rule}, nodes...)
	for _, n := range nodes {
		st.finish(n.Address, nil)
	}
	require.Equal(t, Deployed, st.s.Status)
	return st
}

// ask sends an update to these nodes.
func (st *stage) ask(who string, u event.Update, nodes ...Node) ([]string, *event.Answer) {
	st.plan.nodes, st.plan.order = map[string]Node{}, nodes
	for _, n := range nodes {
		st.plan.nodes[n.Address] = n
	}
	return st.decide(UpdateInput{CommandMeta: CommandMeta{CommandID: "u" + operationID(len(st.all)), RequestedBy: who}, Update: u, Resolved: Resolved{Nodes: nodes}})
}

func (st *stage) judge(who string, approve bool, v event.Judgement) ([]string, *event.Answer) {
	meta := CommandMeta{CommandID: "v" + operationID(len(st.all)), RequestedBy: who}
	if approve {
		return st.decide(ApproveInput{CommandMeta: meta, Judgement: v})
	}
	return st.decide(RefuseInput{CommandMeta: meta, Judgement: v})
}

func TestAnUpdateIsPlannedAndWaits(t *testing.T) {
	st := ruled(t, event.Approval{By: []string{"/cli/*/anna", "/cli/desk/max"}, Expires: "1h"}, node("db"), node("api", "db"))
	types, answer := st.ask("/cli/desk/max", event.Update{}, described(node("db"), "larger"), node("api", "db"))
	require.True(t, answer.Accepted)
	require.Equal(t, []string{"environment.planning", "step.waiting db", "step.waiting api"}, types)
	_, early := st.judge("/cli/desk/anna", true, event.Judgement{})
	require.Equal(t, fault.Conflict, early.Error.Code, "nothing waits yet")
	st.tell("api", event.Plan{Change: event.ChangeUnknown, Until: []string{"db"}})
	require.Equal(t, []string{"step.planned db", "step.complete db", "operation.awaiting-approval"}, st.saves("db", event.Plan{Change: event.ChangeUpdate}, "this"))
	require.Equal(t, StatusAwaitingApproval, st.s.Status)
	require.True(t, st.s.Watched(), "it is as well as it was")
	require.Equal(t, answer.Operation, st.s.awaiting().Operation)
	require.NotNil(t, st.s.operationRecord().Plan, "what waits can be seen")

	_, other := st.ask("/cli/desk/anna", event.Update{}, described(node("db"), "larger"), node("api", "db"))
	require.Equal(t, fault.Busy, other.Error.Code)
	for who, says := range map[string]string{"/cli/desk/max": "but not /cli/desk/max, who has asked for it", "/cli/desk/tom": "/cli/*/anna", "": "somebody unknown"} {
		_, refused := st.judge(who, true, event.Judgement{})
		require.Equal(t, fault.Forbidden, refused.Error.Code, who)
		require.Contains(t, refused.Error.Message, says)
	}
	_, wrong := st.judge("/cli/desk/anna", true, event.Judgement{Operation: "op-1"})
	require.Equal(t, fault.Conflict, wrong.Error.Code)

	types, approved := st.judge("/cli/desk/anna", true, event.Judgement{Operation: answer.Operation, Comment: "go"})
	require.True(t, approved.Accepted, "%v", approved.Error)
	require.Equal(t, []string{"operation.approved", "operation.finished", "environment.planned", "environment.updating", "environment.deploying", "step.waiting db"}, types)
	require.Equal(t, answer.Operation, st.s.operationRecord().Executes)
	require.Equal(t, "/cli/desk/max", st.s.Operation.RequestedBy)
	_, twice := st.judge("/cli/desk/anna", true, event.Judgement{})
	require.Equal(t, fault.Conflict, twice.Error.Code)
}

func TestAnApprovalThatComesTooLate(t *testing.T) {
	st := ruled(t, event.Approval{Expires: "1h"}, node("db"))
	wait := func() string {
		_, answer := st.ask("/a", event.Update{}, described(node("db"), "larger"))
		st.tell("db", event.Plan{Change: event.ChangeUpdate})
		require.Equal(t, StatusAwaitingApproval, st.s.Status)
		return answer.Operation
	}
	wait()
	st.now = st.now.Add(time.Hour)
	types, late := st.judge("/b", true, event.Judgement{})
	require.Equal(t, fault.Expired, late.Error.Code, "before the tick has come")
	require.Equal(t, []string{"operation.approval-expired", "command.rejected", "operation.finished", "environment.planned"}, types)
	require.Equal(t, Deployed, st.s.Status)
	st.now = st.now.Add(-2 * time.Hour)
	_, again := st.judge("/b", true, event.Judgement{})
	require.False(t, again.Accepted, "a clock that is set back changes nothing")

	wait()
	st.now = st.now.Add(time.Hour)
	types, _ = st.decide(TickInput{})
	require.Equal(t, []string{"operation.approval-expired", "operation.finished", "environment.planned"}, types)
	require.Equal(t, OperationFailed, st.s.Operation.Status)

	id := wait()
	types, _ = st.judge("/c", false, event.Judgement{Comment: "not on a Friday"})
	require.Equal(t, []string{"operation.rejected", "operation.finished", "environment.planned"}, types)
	require.Contains(t, st.s.Operation.Error.Message, "rejected by /c: not on a Friday")
	require.Contains(t, st.stale(id).Message, "it is failed", "what was rejected can't be applied all the same")

	wait()
	st.decide(CancelInput{CommandMeta: CommandMeta{CommandID: "withdrawn"}})
	require.Equal(t, OperationCancelled, st.s.Operation.Status)
	require.Equal(t, Deployed, st.s.Status)
}

func TestOnlyWhatDestroysHasToBeApproved(t *testing.T) {
	st := ruled(t, event.Approval{When: WhenDestroys}, node("db"), node("old"))
	st.ask("/a", event.Update{}, described(node("db"), "larger"), node("old"))
	types := st.tell("db", event.Plan{Change: event.ChangeUpdate})
	require.Nil(t, st.s.Operation.Error)
	require.Equal(t, []string{"step.planned db", "step.complete db", "operation.awaiting-approval", "operation.finished", "environment.planned", "environment.updating", "environment.deploying", "step.waiting db"}, types)
	st.tell("db", event.Plan{Change: event.ChangeUpdate})
	st.finish("db", nil)
	require.Equal(t, Deployed, st.s.Status)

	st.ask("/a", event.Update{}, described(node("db"), "larger"))
	st.tell("old", event.Plan{Change: event.ChangeDestroy})
	require.Equal(t, StatusAwaitingApproval, st.s.Status)
	st.judge("/b", false, event.Judgement{})

	_, answer := st.ask("/a", event.Update{Approval: &event.Approval{When: WhenNever}}, described(node("db"), "larger"), node("old"))
	require.True(t, answer.Accepted)
	require.Equal(t, StatusAwaitingApproval, st.s.Status, "or the rule could be taken away by whom it is for")
	_, ok := st.judge("/b", true, event.Judgement{})
	require.True(t, ok.Accepted, "%v", ok.Error)
	require.Empty(t, st.s.Approvals)
}

func TestADestroyAndAPlannedOneWait(t *testing.T) {
	st := ruled(t, event.Approval{For: []string{ForDestroy}}, node("db"))
	st.decide(DestroyInput{CommandMeta: CommandMeta{CommandID: "d", RequestedBy: "/a"}})
	st.tell("db", event.Plan{Change: event.ChangeDestroy})
	require.Equal(t, StatusAwaitingApproval, st.s.Status)
	st.judge("/b", false, event.Judgement{})
	at := st.now.Add(time.Minute)
	st.schedule("s", &at)
	st.now = at
	st.decide(TickInput{})
	st.tell("db", event.Plan{Change: event.ChangeDestroy})
	require.Equal(t, StatusAwaitingApproval, st.s.Status, "scheduling is no way around it")
	require.Nil(t, st.s.DestroyAt)
	types, _ := st.judge("/a", true, event.Judgement{})
	require.Equal(t, []string{"operation.approved", "operation.finished", "environment.planned", "environment.destroying", "step.waiting db"}, types)
	st.finish("db", nil)
	require.Equal(t, Destroyed, st.s.Status)
}

func TestAStepThatWouldReplaceStopsAndAsks(t *testing.T) {
	begin := func() *stage {
		st := deployed(t, node("db"), node("api", "db"), node("aside"))
		st.carryOut(st.planned())
		st.outputs("db", `{"port":2}`)
		require.Equal(t, []string{"step.planned api", "step.held api"}, st.saves("api", event.Plan{Change: event.ChangeReplace}, "with that"))
		return st
	}
	st := begin()
	api := st.s.Step("api")
	require.Equal(t, BecauseApproval, st.s.reason(api).Code)
	require.Equal(t, event.ChangeReplace, st.s.awaiting().Steps[0].Change)
	data, err := st.s.Snapshot()
	require.NoError(t, err)
	st.s, err = Restore(data)
	require.NoError(t, err)
	_, wrong := st.judge("/a", true, event.Judgement{Steps: []string{"db"}})
	require.Equal(t, fault.Conflict, wrong.Error.Code)
	types, ok := st.judge("/a", true, event.Judgement{})
	require.True(t, ok.Accepted, "%v", ok.Error)
	require.Equal(t, []string{"operation.approved", "step.waiting api"}, types)
	require.Equal(t, savedRef("with that").Hash, st.last().(StepWaiting).Plan.Hash)
	require.Equal(t, Deployed, st.finishAll("api"))

	st = begin()
	types, _ = st.judge("/a", false, event.Judgement{Comment: "no"})
	require.Equal(t, []string{"operation.rejected", "step.error api", "operation.finished", "environment.failed"}, types)
	require.Equal(t, Deployed, st.s.Step("api").Status, "nothing was done to it")

	st = begin()
	st.now = st.now.Add(DefaultExpires)
	types, _ = st.decide(TickInput{})
	require.Equal(t, []string{"operation.approval-expired", "step.error api", "operation.finished", "environment.failed"}, types)
}
