package environment

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// carryOut asks for a plan to be carried out.
func (st *stage) carryOut(id string) ([]string, *event.Answer) {
	return st.decide(ApplyInput{CommandMeta: CommandMeta{CommandID: "a" + operationID(len(st.all))}, ApplyPlan: event.ApplyPlan{Plan: id}})
}

// stale asks for one that can't be, and returns why.
func (st *stage) stale(id string) *fault.Error {
	st.Helper()
	_, answer := st.carryOut(id)
	require.False(st, answer.Accepted)
	return answer.Error
}

// saves tells of a step what its executor would change, and has saved for it.
func (st *stage) saves(step string, plan event.Plan, saved string) []string {
	types, _ := st.decide(ResultInput{event.Result{TaskRef: st.ref(step), Runner: "r/1", StartedAt: st.now, FinishedAt: st.now, Plan: &plan, SavedPlan: saved}})
	return types
}

// planned makes a plan of these nodes in which db is updated and api waits for it. It returns its id.
func (st *stage) planned() string {
	st.propose(event.Proposal{}, described(node("db"), "larger"), node("api", "db"), node("aside"))
	id := st.s.Operation.ID
	st.tell("api", event.Plan{Change: event.ChangeUnknown, Until: []string{"db"}})
	st.saves("db", event.Plan{Change: event.ChangeUpdate, Differences: []event.Difference{{Path: "size", Change: event.ChangeUpdate}}}, "exactly this")
	return id
}

func TestAPlanIsCarriedOutAsItWasShown(t *testing.T) {
	st := deployed(t, node("db"), node("api", "db"), node("aside"))
	id := st.planned()
	require.Equal(t, map[string]string{"plan/" + id + "/db": savedRef("exactly this").Hash}, st.s.SavedPlans())
	types, answer := st.carryOut(id)
	require.True(t, answer.Accepted, "%v", answer.Error)
	require.Equal(t, []string{"environment.updating", "environment.deploying", "step.waiting db"}, types)
	require.Equal(t, savedIn(id, savedRef("exactly this")), st.last().(StepWaiting).Plan)
	st.outputs("db", `{"port":2}`)
	w := st.last().(StepWaiting)
	require.Equal(t, []any{"api", event.Propose}, []any{w.Step, w.Verb}, "what it would be given was not known")
	require.Equal(t, []string{"step.planned api", "step.waiting api"}, st.saves("api", event.Plan{Change: event.ChangeUpdate}, "and this"))
	w = st.last().(StepWaiting)
	require.Equal(t, savedIn(answer.Operation, savedRef("and this")), w.Plan)
	require.Equal(t, event.Apply, w.Verb)
	require.Equal(t, Deployed, st.finishAll("api"))
	require.Empty(t, st.s.SavedPlans())
	require.ElementsMatch(t, []string{"plan/" + id + "/db", "plan/" + answer.Operation + "/api"}, st.s.Released())
	require.Contains(t, st.stale(id).Message, "carried out already, by operation "+answer.Operation)
	require.Equal(t, id, st.s.operationRecord().Executes)
}

// outputs ends a step with these.
func (st *stage) outputs(step, outputs string) []string {
	types, _ := st.decide(ResultInput{event.Result{TaskRef: st.ref(step), Runner: "r/1", Outputs: []byte(outputs)}})
	return types
}

func (st *stage) finishAll(steps ...string) Status {
	for _, step := range steps {
		st.finish(step, nil)
	}
	return st.s.Status
}

func TestAnAttemptThatFailedIsAskedAboutAnew(t *testing.T) {
	st := deployed(t, node("db"), node("api", "db"), node("aside"))
	st.carryOut(st.planned())
	st.finish("db", fault.New(fault.Retry, fault.ExecutorFailed, "half of it"))
	st.now = st.now.Add(time.Minute)
	st.decide(TickInput{})
	w := st.last().(StepWaiting)
	require.Equal(t, []any{"db", event.Propose}, []any{w.Step, w.Verb}, "the saved plan is that of something else by now")
	require.Equal(t, []string{"step.planned db", "step.waiting db"},
		st.saves("db", event.Plan{Change: event.ChangeUpdate, Differences: []event.Difference{{Path: "size", Change: event.ChangeUpdate}}}, "the rest"))
}

func TestPlansThatCantBeCarriedOut(t *testing.T) {
	st := deployed(t, node("db"), node("api", "db"), node("aside"))
	require.Equal(t, fault.NotFound, st.stale("op-99").Code)
	require.Equal(t, fault.NotFound, st.stale("op-01").Code)
	require.Contains(t, st.stale("op-1").Message, "is no plan")

	overtaken := st.planned()
	st.update("u", described(node("db"), "other"), node("api", "db"), node("aside"))
	require.Equal(t, fault.Busy, st.stale(overtaken).Code, "while another operation runs")
	st.finishAll("db")
	require.Contains(t, st.stale(overtaken).Message, "(update) has changed the environment since")

	cancelled := func() string {
		st.propose(event.Proposal{}, described(node("db"), "more"), node("api", "db"), node("aside"))
		st.decide(CancelInput{CommandMeta: CommandMeta{CommandID: "stop"}})
		id := st.s.Operation.ID
		for _, step := range []string{"db", "api"} {
			st.tell(step, event.Plan{Change: event.ChangeUpdate})
		}
		return id
	}()
	require.Contains(t, st.stale(cancelled).Message, "it is cancelled")

	st.propose(event.Proposal{}, described(node("db"), "more"), node("api", "db"), node("aside"))
	failed := st.s.Operation.ID
	st.tell("api", event.Plan{Change: event.ChangeUnknown})
	st.finish("db", broken)
	require.Contains(t, st.stale(failed).Message, "it is failed")

	late := st.planned()
	st.now = st.now.Add(24*time.Hour + time.Second)
	require.Equal(t, fault.Expired, st.stale(late).Code, "before the tick has come")
	require.True(t, st.d.Imminent(st.s, st.now))
	types, _ := st.decide(TickInput{})
	require.Equal(t, []string{"plan.lapsed"}, types)
	st.now = st.now.Add(-48 * time.Hour)
	require.Contains(t, st.stale(late).Message, "time was up", "a clock that is set back does not bring it back")

	large := func() string {
		st.propose(event.Proposal{}, described(node("db"), "huge"), node("api", "db"), node("aside"))
		st.tell("api", event.Plan{Change: event.ChangeUnknown})
		st.decide(ResultInput{event.Result{TaskRef: st.ref("db"), Runner: "r/1", Plan: &event.Plan{Change: event.ChangeUpdate}, Unkept: event.MaxState + 1}})
		return st.s.Operation.ID
	}()
	require.Contains(t, st.stale(large).Message, "too large to be kept")

	drifted := st.planned()
	st.check("look", "aside")
	st.found("aside", event.Observation{Presence: event.Absent})
	require.Contains(t, st.stale(drifted).Message, "a look has found aside")
}

func TestAPlanWhoseInputsHaveMoved(t *testing.T) {
	st := deployed(t, node("db"), node("api", "db"), node("aside"))
	id := st.planned()
	st.plan.nodes["db"] = described(node("db"), "something else") // as an output of another environment does
	err := st.stale(id)
	require.Equal(t, fault.Conflict, err.Code)
	require.Contains(t, err.Message, "what db would be given is not what it was")
}

func TestOnlySoManyPlansAreKept(t *testing.T) {
	st := deployed(t, node("db"), node("api", "db"), node("aside"))
	first := st.planned()
	for range mostKept {
		st.planned()
	}
	require.Len(t, st.s.Plans, mostKept)
	require.Contains(t, st.stale(first).Message, "newer ones")
	require.Equal(t, []string{"plan/" + first + "/db"}, st.s.Released())
}
