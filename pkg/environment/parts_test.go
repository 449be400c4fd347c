package environment

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

func from(id, who string) CommandMeta { return CommandMeta{CommandID: id, RequestedBy: who} }

func (st *stage) redeploy(id string, groups ...string) ([]string, *event.Answer) {
	return st.decide(RedeployInput{CommandMeta: from(id, "/anna"), Redeploy: event.Redeploy{Groups: groups}})
}

func TestAGroupIsDeployedAgainAndWhatDependsOnItOnlyIfThatChanges(t *testing.T) {
	st := deployed(t, in("db", node("disk")), in("db", node("db", "disk")), in("app", node("api", "db")), node("aside"))
	types, answer := st.redeploy("2", "db")
	require.True(t, answer.Accepted, "%v", answer.Error)
	require.Equal(t, []string{"environment.redeploying", "environment.deploying", "step.waiting disk"}, types)
	require.Equal(t, []string{"step.complete disk", "step.waiting db"}, st.finish("disk", nil), "although it would be given what it was given last")
	require.Equal(t, []string{"step.complete db", "step.unchanged api", "environment.validating", "operation.finished", "environment.deployed"}, st.finish("db", nil))
	require.Equal(t, []string{"db"}, st.s.operationRecord().Groups)

	st.redeploy("3", "db")
	types, _ = st.decide(ResultInput{event.Result{TaskRef: st.ref("disk"), Runner: "r/1", Outputs: []byte(`{"other":1}`)}})
	require.Equal(t, []string{"step.complete disk", "step.waiting db"}, types)
	types, _ = st.decide(ResultInput{event.Result{TaskRef: st.ref("db"), Runner: "r/1", Outputs: []byte(`{"other":1}`)}})
	require.Equal(t, []string{"step.complete db", "step.waiting api"}, types, "it is given something else now")
	st.finish("api", broken)
	require.Equal(t, Failed, st.s.Status)
}

func TestGroupsThatCanNotBeDeployedAgain(t *testing.T) {
	st := newStage(t)
	_, answer := st.redeploy("0", "app")
	require.Equal(t, fault.NotFound, answer.Error.Code)

	st = deployed(t, in("app", node("api")), in("db", node("db")))
	_, answer = st.redeploy("2", "apps")
	require.Equal(t, fault.NotFound, answer.Error.Code)
	st.part("3", event.Destroy{Groups: []string{"db"}})
	_, answer = st.redeploy("4", "app")
	require.Equal(t, fault.Busy, answer.Error.Code)
	st.finish("db", nil)
	_, answer = st.redeploy("5", "app")
	require.Equal(t, fault.Conflict, answer.Error.Code)
	require.Contains(t, answer.Error.Message, "db of environment \"notes\" is down")

}

func TestARedeployThatHasToBeApproved(t *testing.T) {
	nodes := []Node{in("app", node("api")), node("web", "api"), node("aside")}
	st := deployed(t, nodes...)
	st.plan.order = nodes
	st.s.Approvals = []Approval{{For: []string{ForUpdate}, When: WhenAlways, By: []string{"/bert"}, Expires: time.Hour}}
	types, answer := st.redeploy("2", "app")
	require.True(t, answer.Accepted, "%v", answer.Error)
	require.Equal(t, []string{"environment.planning", "step.waiting api", "step.waiting web"}, types)
	for _, step := range []string{"api", "web"} {
		st.decide(ResultInput{event.Result{TaskRef: st.ref(step), Runner: "r/1", Plan: &event.Plan{Change: event.ChangeUpdate}}})
	}
	require.Equal(t, StatusAwaitingApproval, st.s.Status)
	types, answer = st.decide(ApproveInput{CommandMeta: from("3", "/bert")})
	require.True(t, answer.Accepted, "%v", answer.Error)
	require.Equal(t, []string{"operation.approved", "operation.finished", "environment.planned", "environment.redeploying", "environment.deploying", "step.waiting api"}, types)
	require.Equal(t, []string{"app"}, st.s.Operation.Groups)
	st.decide(ResultInput{event.Result{TaskRef: st.ref("api"), Runner: "r/1", Plan: &event.Plan{Change: event.ChangeUpdate}}})
	require.Equal(t, []string{"step.complete api", "step.unchanged web", "environment.validating", "operation.finished", "environment.deployed"}, st.finish("api", nil))
}

func TestARetryOfAGroupThatHasToBeApproved(t *testing.T) {
	nodes := []Node{in("app", node("api")), node("web", "api"), in("db", node("db"))}
	st := newStage(t, nodes...)
	st.create("1", event.Create{}, nodes...)
	st.plan.order = nodes
	st.finish("api", broken)
	st.finish("db", broken)
	st.s.Approvals = []Approval{{For: []string{ForUpdate}, When: WhenAlways, By: []string{"/bert"}, Expires: time.Hour}}
	types, answer := st.decide(RetryInput{CommandMeta: from("2", "/anna"), Retry: event.Retry{Groups: []string{"app"}}})
	require.True(t, answer.Accepted, "%v", answer.Error)
	require.Equal(t, []string{"environment.planning", "step.waiting api", "step.waiting web"}, types, "of db nothing is asked")
	for _, step := range []string{"api", "web"} {
		st.decide(ResultInput{event.Result{TaskRef: st.ref(step), Runner: "r/1", Plan: &event.Plan{Change: event.ChangeCreate}}})
	}
	require.Equal(t, StatusAwaitingApproval, st.s.Status)
	data, err := st.s.Snapshot()
	require.NoError(t, err)
	st.s, err = Restore(data)
	require.NoError(t, err)
	types, answer = st.decide(ApproveInput{CommandMeta: from("3", "/bert")})
	require.True(t, answer.Accepted, "%v", answer.Error)
	require.Equal(t, []string{"operation.approved", "operation.finished", "environment.planned", "environment.retrying", "environment.deploying", "step.waiting api"}, types)
	for _, step := range []string{"api", "web"} {
		st.decide(ResultInput{event.Result{TaskRef: st.ref(step), Runner: "r/1", Plan: &event.Plan{Change: event.ChangeCreate}}})
		types = st.finish(step, nil)
	}
	require.Equal(t, []string{"step.complete web", "operation.finished", "environment.failed"}, types)
	require.Contains(t, st.s.Error.Message, "db")
	require.NotContains(t, st.s.Error.Message, "api")
}

func TestADestroyOfAGroupThatHasToBeApproved(t *testing.T) {
	protected := in("kept", node("disk"))
	protected.PreventDestroy = true // which a destroy of another group does not mind
	nodes := []Node{protected, in("app", node("api", "disk"))}
	st := deployed(t, nodes...)
	st.s.Approvals = []Approval{{For: []string{ForDestroy}, When: WhenAlways, By: []string{"/bert"}, Expires: time.Hour}}
	approved := func(id string) []string {
		st.decide(ResultInput{event.Result{TaskRef: st.ref("api"), Runner: "r/1", Plan: &event.Plan{Change: event.ChangeDestroy}}})
		require.Equal(t, StatusAwaitingApproval, st.s.Status)
		require.Equal(t, ForDestroy, st.s.awaiting().Kind)
		types, answer := st.decide(ApproveInput{CommandMeta: from(id, "/bert")})
		require.True(t, answer.Accepted, "%v", answer.Error)
		return types
	}
	types, answer := st.decide(DestroyInput{CommandMeta: from("2", "/anna"), Destroy: event.Destroy{Groups: []string{"app"}, Force: true}})
	require.True(t, answer.Accepted, "%v", answer.Error)
	require.Equal(t, []string{"environment.planning", "step.waiting api"}, types)
	began := []string{"operation.approved", "operation.finished", "environment.planned", "environment.destroying", "step.waiting api"}
	require.Equal(t, began, approved("3"))
	st.finish("api", broken)
	require.Equal(t, Failed, st.s.Status)

	types, _ = st.decide(RetryInput{CommandMeta: from("4", "/anna")})
	require.Equal(t, []string{"environment.planning", "step.waiting api"}, types, "it would go on with that, which has to be approved again")
	require.Equal(t, began, approved("5"))
	require.True(t, st.s.Operation.Force, "as it was begun")
	st.finish("api", nil)
	require.Equal(t, Deployed, st.s.Status)
	require.Equal(t, []string{"app"}, st.s.downGroups())
	require.True(t, st.s.Step("disk").Exists)
}

func TestADestroyByForceDoesNotWaitForAPause(t *testing.T) {
	nodes := []Node{in("db", node("db")), in("app", node("api"))}
	for _, force := range []bool{false, true} {
		st := deployed(t, nodes...)
		st.decide(PauseInput{CommandMeta: from("2", "/anna"), Pause: event.Pause{Groups: []string{"db"}}})
		st.decide(PauseInput{CommandMeta: from("3", "/anna"), Pause: event.Pause{Groups: []string{"app"}}})
		types, answer := st.part("4", event.Destroy{Groups: []string{"app"}, Force: force})
		require.True(t, answer.Accepted, "%v", answer.Error)
		if !force {
			require.Equal(t, []string{"environment.destroying"}, types)
			continue
		}
		require.Equal(t, []string{"environment.destroying", "step.waiting api"}, types)
		require.Nil(t, st.s.GroupPause("app"))
		require.NotNil(t, st.s.GroupPause("db"), "which is not destroyed")
		st.finish("api", nil)
		types, _ = st.part("5", event.Destroy{Force: true})
		require.Equal(t, []string{"environment.destroying", "step.waiting db"}, types)
	}
}

func TestWhatFailedOfOneGroupIsTriedAgainAlone(t *testing.T) {
	nodes := []Node{in("a", node("a1")), in("a", node("a2", "a1")), in("b", node("b1")), node("c", "a2")}
	st := newStage(t, nodes...)
	st.create("1", event.Create{}, nodes...)
	st.finish("a1", broken)
	st.finish("b1", broken)
	require.Equal(t, Failed, st.s.Status)

	types, answer := st.decide(RetryInput{CommandMeta: from("2", ""), Retry: event.Retry{Groups: []string{"a"}}})
	require.True(t, answer.Accepted, "%v", answer.Error)
	require.Equal(t, []string{"environment.retrying", "environment.deploying", "step.waiting a1"}, types)
	st.finish("a1", nil)
	st.finish("a2", nil)
	require.Equal(t, []string{"step.complete c", "operation.finished", "environment.failed"}, st.finish("c", nil), "nothing is validated while b1 is missing")
	require.Contains(t, st.s.Error.Message, "b1")

	_, answer = st.decide(RetryInput{CommandMeta: from("3", ""), Retry: event.Retry{Groups: []string{"a"}}})
	require.Equal(t, fault.Conflict, answer.Error.Code, "nothing of it failed")
	st.decide(RetryInput{CommandMeta: from("4", ""), Retry: event.Retry{Groups: []string{"b"}}})
	require.Equal(t, []string{"step.complete b1", "environment.validating", "operation.finished", "environment.deployed"}, st.finish("b1", nil))
}

func TestAGroupThatNeedsWhatFailedElsewhere(t *testing.T) {
	nodes := []Node{in("a", node("a1")), in("b", node("b1", "a1"))}
	st := newStage(t, nodes...)
	st.create("1", event.Create{}, nodes...)
	st.finish("a1", broken)
	_, answer := st.decide(RetryInput{CommandMeta: from("2", ""), Retry: event.Retry{Groups: []string{"b"}}})
	require.Equal(t, fault.Conflict, answer.Error.Code)
	require.Contains(t, answer.Error.Message, "it needs a1")
	types, _ := st.decide(RetryInput{CommandMeta: from("3", ""), Retry: event.Retry{Groups: []string{"a", "b"}}})
	require.Equal(t, "step.waiting a1", types[2])
}

func TestAGroupIsPausedUntilSomebodyResumesIt(t *testing.T) {
	first := in("app", node("api"))
	first.Expiry = time.Minute
	nodes := []Node{first, in("db", node("db")), in("app", node("web", "db"))}
	st := newStage(t, nodes...)
	st.create("1", event.Create{}, nodes[1])
	st.finish("db", nil)
	pause := PauseInput{CommandMeta: from("2", "/anna"), Pause: event.Pause{Groups: []string{"db"}, Reason: "the disk is moved"}}
	types, answer := st.decide(pause)
	require.True(t, answer.Accepted, "%v", answer.Error)
	require.Equal(t, []string{"group.paused"}, types)
	pause.CommandID = "3"
	_, answer = st.decide(pause)
	require.Equal(t, fault.Conflict, answer.Error.Code)
	require.Contains(t, answer.Error.Message, "paused by /anna because the disk is moved")

	require.Equal(t, []string{"environment.updating", "environment.deploying", "step.waiting api"}, st.update("4", nodes[0], described(nodes[1], "more"), nodes[2]))
	pause.CommandID, pause.Groups = "5", []string{"app"}
	st.decide(pause)
	st.finish("api", fault.New(fault.Retry, fault.ExecutorFailed, "shaky"))
	data, err := st.s.Snapshot()
	require.NoError(t, err)
	st.s, err = Restore(data)
	require.NoError(t, err)
	st.now = st.now.Add(time.Hour)
	types, _ = st.decide(TickInput{})
	require.Empty(t, types, "neither offered nor expired, also after a restart")
	require.Equal(t, &Reason{Code: BecausePaused, Detail: `group "app" was paused by /anna because the disk is moved`}, st.s.reason(st.s.Step("api")))
	require.Len(t, st.s.record(0, mark{}).Paused, 2)

	resume := ResumeInput{CommandMeta: from("6", ""), Resume: event.Resume{Groups: []string{"app"}}}
	types, _ = st.decide(resume)
	require.Equal(t, []string{"group.resumed", "step.waiting api"}, types)
	resume.CommandID = "7"
	_, answer = st.decide(resume)
	require.Equal(t, fault.Conflict, answer.Error.Code)
	resume.CommandID, resume.Groups = "8", []string{"db"}
	types, _ = st.decide(resume)
	require.Equal(t, []string{"group.resumed", "step.waiting db"}, types)
}

func TestAnOperationSaysWhoHasPausedIt(t *testing.T) {
	st := newStage(t, node("a"), node("b"))
	st.d = NewDecider(Policy{Epoch: 2, Parallelism: 1})
	st.create("1", event.Create{}, node("a"), node("b"))
	st.decide(PauseInput{CommandMeta: from("2", "/anna"), Pause: event.Pause{Reason: "the cloud has maintenance"}})
	require.Equal(t, "the operation was paused by /anna because the cloud has maintenance", st.s.reason(st.s.Step("b")).Detail)
	require.Equal(t, "/anna", st.s.operationRecord().Pause.By)
	st.decide(ResumeInput{CommandMeta: from("3", "/anna")})
	require.Nil(t, st.s.operationRecord().Pause)
}
