package environment

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

func (st *stage) check(id string, resources ...string) []string {
	types, answer := st.decide(CheckInput{CommandMeta: CommandMeta{CommandID: id}, Check: event.Check{Resources: resources}})
	require.True(st, answer.Accepted, "%v", answer.Error)
	return types
}

// found answers a look.
func (st *stage) found(address string, o event.Observation) []string {
	types, _ := st.decide(ResultInput{event.Result{TaskRef: st.ref(address), Runner: "r/1", StartedAt: st.now, FinishedAt: st.now, Observation: &o}})
	return types
}

var (
	asLeft  = event.Observation{Presence: event.Present}
	gone    = event.Observation{Presence: event.Absent}
	drifted = event.Observation{Presence: event.Present, Drifted: true, Differences: []event.Difference{{Path: "size", Change: event.ChangeUpdate, Before: "1", After: "2"}}}
)

func TestAllThatIsThereIsLookedAtAtOnce(t *testing.T) {
	action := node("act", "api")
	action.Type = ActionNode
	st := deployed(t, node("db"), node("api", "db"), action)
	st.s.Outputs = []byte(`{"a":1}`)
	require.Equal(t, []string{"environment.checking", "step.waiting db", "step.waiting api"}, st.check("2"))
	require.Equal(t, Checking, st.s.Status)
	require.Equal(t, event.Observe, st.s.Step("api").Verb)
	require.Equal(t, []string{"resource.observed", "step.complete api"}, st.found("api", gone))
	require.Equal(t, []string{"resource.observed", "step.complete db", "operation.finished", "environment.deployed"}, st.found("db", drifted))
	require.JSONEq(t, `{"a":1}`, string(st.s.Outputs))
	require.Equal(t, Deployed, st.s.Step("db").Status)

	c := st.s.Changes(0, 9)
	require.Equal(t, 2, c.Environments[0].Drifted)
	for _, r := range c.Resources {
		if r.Address == "db" {
			require.Equal(t, &Drift{Presence: event.Present, Drifted: true, Differences: drifted.Differences, CheckedAt: st.now}, r.Drift)
		}
	}
}

func TestWhatIsFoundAgainIsNoNews(t *testing.T) {
	st := deployed(t, node("db"), node("api"))
	st.check("2", "db")
	st.found("db", drifted)
	st.now = st.now.Add(time.Hour)
	require.Equal(t, []string{"environment.checking", "step.waiting db"}, st.check("3", "db"))
	require.Equal(t, []string{"step.complete db", "operation.finished", "environment.deployed"}, st.found("db", drifted))
	require.Equal(t, st.now, st.s.Step("db").Drift.CheckedAt)
	st.check("4", "db")
	require.Contains(t, st.found("db", asLeft), "resource.observed")
	require.Zero(t, st.s.Changes(0, 9).Environments[0].Drifted)
}

func TestHealingAppliesWhatWasFoundOff(t *testing.T) {
	st := deployed(t, node("db"), node("api", "db"), node("aside"))
	st.check("2")
	st.found("db", gone)
	st.found("api", asLeft)
	st.found("aside", asLeft)
	require.Equal(t, []string{"environment.updating", "environment.deploying", "environment.validating", "operation.finished", "environment.deployed"},
		st.update("3", node("db"), node("api", "db"), node("aside")), "an update that is not to heal goes by what is wanted")
	_, answer := st.decide(UpdateInput{CommandMeta: CommandMeta{CommandID: "4"}, Update: event.Update{Heal: true},
		Resolved: Resolved{Nodes: []Node{node("db"), node("api", "db"), node("aside")}}})
	require.True(t, answer.Accepted)
	require.Equal(t, []string{"step.complete db", "step.unchanged api", "environment.validating", "operation.finished", "environment.deployed"}, st.finish("db", nil))
	require.Nil(t, st.s.Step("db").Drift, "how it is now nobody has looked")
}

func TestALookThatFailsFailsItsOperationAlone(t *testing.T) {
	st := deployed(t, node("db"))
	st.check("2")
	require.Equal(t, []string{"step.error db", "operation.finished", "environment.deployed"}, st.finish("db", broken))
	require.Equal(t, OperationFailed, st.s.Operation.Status)
	require.Equal(t, Deployed, st.s.Step("db").Status)
	require.Nil(t, st.s.Error)
}

func TestALookKeepsWhatAFailedUpdateHasLeft(t *testing.T) {
	st := deployed(t, node("db"), node("api", "db"))
	st.update("2", node("api"))
	st.finish("api", broken)
	st.check("3")
	st.found("db", asLeft)
	require.Equal(t, []string{"resource.observed", "step.complete api", "operation.finished", "environment.failed"}, st.found("api", asLeft))
	require.NotNil(t, st.s.Error)
	require.Equal(t, Failed, st.s.Step("api").Status)
	types, _ := st.decide(RetryInput{CommandMeta: CommandMeta{CommandID: "4"}})
	require.Equal(t, []string{"environment.retrying", "environment.deploying", "step.waiting api"}, types)
	st.finish("api", nil)
	st.finish("db", nil)
	require.Len(t, st.s.Nodes, 1)
}

func TestLooksThatCantBeTaken(t *testing.T) {
	refused := func(st *stage, code fault.Code, resources ...string) {
		t.Helper()
		_, answer := st.decide(CheckInput{CommandMeta: CommandMeta{CommandID: "9" + string(code)}, Check: event.Check{Resources: resources}})
		require.False(t, answer.Accepted)
		require.Equal(t, code, answer.Error.Code)
	}
	refused(newStage(t), fault.NotFound)
	action := node("act")
	action.Type = ActionNode
	st := deployed(t, node("db"), action)
	refused(st, fault.NotFound, "dp")
	refused(st, fault.Invalid, "act")
	st.check("2")
	refused(st, fault.Busy)
	st.found("db", asLeft)
	st.decide(DestroyInput{CommandMeta: CommandMeta{CommandID: "3"}})
	st.finish("db", broken)
	refused(st, fault.Conflict)
}

func TestALookIsNoBeginningOfWhatANodeIsToStandOn(t *testing.T) {
	st := deployed(t, node("db"), node("api", "db"))
	st.update("2", node("db"), node("new"), node("api", "new"))
	require.Contains(t, st.finish("new", broken), "step.skipped api")
	st.check("3")
	for _, address := range []string{"db", "new", "api"} {
		st.found(address, asLeft)
	}
	require.Equal(t, []string{"db"}, st.s.Step("api").Stands)
}

func TestACheckLeavesEndpointsWatched(t *testing.T) {
	probed := node("a")
	probed.Probed = true
	st := newStage(t, probed)
	st.create("1", event.Create{}, probed)
	st.finish("a", nil)
	st.finish("a", nil)
	require.Equal(t, Deployed, st.s.Status)
	st.check("2", "a")
	st.found("a", event.Observation{Presence: event.Present})
	require.Equal(t, event.Healthy, st.s.Step("a").Health.Status)
	require.NotNil(t, st.s.Step("a").Endpoint)
	in := event.ResourceHealth{Environment: "notes", Step: "a", Operation: st.s.Step("a").Operation, Epoch: 2, Status: event.Unhealthy, Runner: "r/1", Sequence: 1}
	types, _ := st.decide(HealthInput{in})
	require.Equal(t, []string{"resource.health"}, types)
}
