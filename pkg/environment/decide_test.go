package environment

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// stage is one environment under one decider, with a clock that moves by hand.
type stage struct {
	*testing.T
	d    *Decider
	s    *State
	plan echo
	now  time.Time
	all  []Fact
	pool func(pool, executor string) Pool
}

func newStage(t *testing.T, nodes ...Node) *stage {
	st := &stage{T: t, d: NewDecider(Policy{Epoch: 2}), s: NewState("notes"), now: time.Unix(1_700_000_000, 0).UTC()}
	st.plan.nodes = map[string]Node{}
	for _, n := range nodes {
		st.plan.nodes[n.Address] = n
	}
	return st
}

func (st *stage) decide(in Input) ([]string, *event.Answer) {
	again := func(k KeptPlan) (Resolved, error) { return Resolved{Nodes: st.plan.order, Templates: k.Templates}, nil }
	d := st.d.Decide(st.s, Surroundings{Resolver: st.plan, Before: st.former(), Pool: st.pool, Again: again}, in, st.now)
	st.all = append(st.all, d.Facts...)
	var types []string
	for _, f := range d.Facts {
		typ := f.Body.Type()
		if data, _ := json.Marshal(f.Body); len(typ) > 5 && typ[:5] == "step." {
			var step struct{ Step string }
			require.NoError(st, json.Unmarshal(data, &step))
			typ += " " + step.Step
		}
		types = append(types, typ)
	}
	return types, d.Answer
}

// former evaluates by the graph that the environment has.
func (st *stage) former() Resolver {
	e := echo{nodes: map[string]Node{}}
	for _, n := range st.s.real() {
		e.nodes[n.Address] = n.Node
	}
	return e
}

func (st *stage) create(id string, c event.Create, nodes ...Node) []string {
	types, answer := st.decide(CreateInput{CommandMeta: CommandMeta{CommandID: id}, Create: c, Resolved: Resolved{Nodes: nodes}})
	require.True(st, answer.Accepted, "%v", answer.Error)
	return types
}

func (st *stage) finish(step string, err *fault.Error) []string {
	types, _ := st.decide(ResultInput{event.Result{TaskRef: st.ref(step), Runner: "r/1", Outputs: json.RawMessage(`{}`), Error: err}})
	return types
}

func (st *stage) ref(step string) event.TaskRef {
	return event.TaskRef{Environment: "notes", Operation: st.s.Operation.ID, Step: st.s.Step(step).ID(), Attempt: st.s.Step(step).Attempt, Epoch: 2}
}

func node(address string, deps ...string) Node {
	return Node{Address: address, Type: ResourceNode, Executor: "x", DependsOn: deps}
}

var broken = fault.New(fault.GiveUp, fault.ExecutorFailed, "broken")

func TestADiamondDeploysAsSoonAsEachDependencyIsDone(t *testing.T) {
	nodes := []Node{node("a"), node("b", "a"), node("c", "a"), node("d", "b"), node("e", "b", "c")}
	st := newStage(t, nodes...)
	require.Equal(t, []string{"environment.created", "environment.deploying", "step.waiting a"}, st.create("1", event.Create{}, nodes...))
	require.Equal(t, []string{"step.complete a", "step.waiting b", "step.waiting c"}, st.finish("a", nil))
	require.Equal(t, []string{"step.complete b", "step.waiting d"}, st.finish("b", nil), "d does not wait for c, which is of the layer before")
	require.Equal(t, []string{"step.complete d"}, st.finish("d", nil))
	require.Equal(t, []string{"step.complete c", "step.waiting e"}, st.finish("c", nil))
	require.Equal(t, []string{"step.complete e", "environment.validating", "operation.finished", "environment.deployed"}, st.finish("e", nil))

	types, _ := st.decide(DestroyInput{CommandMeta: CommandMeta{CommandID: "2"}})
	require.Equal(t, []string{"environment.destroying", "step.waiting e", "step.waiting d"}, types)
	require.Equal(t, []string{"step.complete e", "step.waiting c"}, st.finish("e", nil))
	require.Equal(t, []string{"step.complete d", "step.waiting b"}, st.finish("d", nil))
	st.finish("c", nil)
	require.Equal(t, []string{"step.complete b", "step.waiting a"}, st.finish("b", nil))
	require.Equal(t, []string{"step.complete a", "operation.finished", "environment.destroyed"}, st.finish("a", nil))
}

func TestAFailureStopsWhatDependsOnItAndLetsTheRestFinish(t *testing.T) {
	nodes := []Node{node("a"), node("b"), node("c", "a"), node("d", "c"), node("e", "b")}
	st := newStage(t, nodes...)
	st.create("1", event.Create{}, nodes...)
	require.Equal(t, []string{"step.error a", "step.skipped c", "step.skipped d"}, st.finish("a", broken))
	require.Equal(t, []string{"step.complete b", "step.waiting e"}, st.finish("b", nil))
	require.Equal(t, []string{"step.complete e", "operation.finished", "environment.failed"}, st.finish("e", nil))
	require.Equal(t, "broken", st.s.Error.Message)
	require.Equal(t, Pending, st.s.Step("c").Status)

	types, _ := st.decide(DestroyInput{CommandMeta: CommandMeta{CommandID: "2"}})
	require.Equal(t, []string{"environment.destroying", "step.waiting e", "step.waiting a"}, types, "what never began needs no destroy; what failed may be there")
}

func TestFailFastStopsAtOnce(t *testing.T) {
	nodes := []Node{node("a"), node("b"), node("c", "b")}
	st := newStage(t, nodes...)
	st.create("1", event.Create{FailFast: true}, nodes...)
	require.Equal(t, []string{"step.error a", "operation.cancelling", "step.skipped c"}, st.finish("a", broken))
	require.Equal(t, []string{"step.complete b", "operation.finished", "environment.failed"}, st.finish("b", nil))
	require.Equal(t, "broken", st.s.Error.Message, "the failure is the reason, not the stop")
	require.Equal(t, OperationFailed, st.s.Operation.Status)
}

func TestCancelSkipsWhatHasNotBegun(t *testing.T) {
	nodes := []Node{node("a"), node("b", "a")}
	st := newStage(t, nodes...)
	st.create("1", event.Create{}, nodes...)
	types, answer := st.decide(CancelInput{CommandMeta: CommandMeta{CommandID: "2"}, Cancel: event.Cancel{Reason: "lunch"}})
	require.True(t, answer.Accepted)
	require.Equal(t, []string{"operation.cancelling", "step.skipped b"}, types)
	require.Equal(t, []string{"step.error a", "operation.finished", "environment.failed"},
		st.finish("a", fault.New(fault.GiveUp, fault.Cancelled, "stopped")))
	require.Equal(t, OperationCancelled, st.s.Operation.Status)
	require.Contains(t, st.s.Error.Message, "lunch")
}

func TestRetryWaitsLongerEachTime(t *testing.T) {
	n := node("a")
	n.Retry = &RetryPolicy{Attempts: 3, Backoff: time.Second, MaxBackoff: 90 * time.Second}
	st := newStage(t, n)
	st.create("1", event.Create{}, n)
	shaky := fault.New(fault.Retry, fault.ExecutorFailed, "shaky")
	require.Equal(t, []string{"step.queued a"}, st.finish("a", shaky))
	between := func(least, most time.Duration) time.Time {
		wake := st.s.Wake(st.now)
		require.GreaterOrEqual(t, wake.Sub(st.now), least)
		require.LessOrEqual(t, wake.Sub(st.now), most)
		return wake
	}
	st.now = between(time.Second, 1250*time.Millisecond)
	types, _ := st.decide(TickInput{})
	require.Equal(t, []string{"step.waiting a"}, types)
	st.finish("a", shaky)
	st.now = between(2*time.Second, 2500*time.Millisecond)
	st.decide(TickInput{})
	require.Equal(t, []string{"step.error a", "operation.finished", "environment.failed"}, st.finish("a", shaky))
	require.Equal(t, 3, st.s.Step("a").Attempt)
}

func TestALostRunnerGivesItsStepBack(t *testing.T) {
	n := node("a")
	st := newStage(t, n)
	st.create("1", event.Create{}, n)
	st.decide(AcceptedInput{event.Accepted{TaskRef: st.ref("a"), Runner: "box/1"}})
	old := st.ref("a")
	types, _ := st.decide(RunnerStartedInput{Name: "other", Runner: "other/9"})
	require.Empty(t, types)
	types, _ = st.decide(RunnerStartedInput{Name: "box", Runner: "box/2"})
	require.Equal(t, []string{"step.queued a"}, types)
	st.now = st.now.Add(time.Second)
	types, _ = st.decide(TickInput{})
	require.Equal(t, []string{"step.waiting a"}, types)
	types, _ = st.decide(ResultInput{event.Result{TaskRef: old, Runner: "box/1"}})
	require.Equal(t, []string{"result.refused"}, types, "the first runner's result comes too late")
	require.Len(t, st.finish("a", nil), 4)
}

func TestLeaseIsKeptByHeartbeatsAlone(t *testing.T) {
	n := node("a")
	st := newStage(t, n)
	st.create("1", event.Create{}, n)
	types, _ := st.decide(HeartbeatInput{Runner: "box/1", TaskRef: st.ref("a")})
	require.Equal(t, []string{"step.running a"}, types, "a heartbeat says that it was accepted, too")
	for range 10 {
		st.now = st.now.Add(15 * time.Second)
		st.decide(HeartbeatInput{Runner: "box/1", TaskRef: st.ref("a")})
		types, _ = st.decide(TickInput{})
		require.Empty(t, types)
	}
	st.now = st.now.Add(21 * time.Second)
	types, _ = st.decide(TickInput{})
	require.Equal(t, []string{"step.queued a"}, types)
}

func TestAnOfferThatNobodyTakesIsMadeAgainForEver(t *testing.T) {
	n := node("a")
	st := newStage(t, n)
	st.create("1", event.Create{}, n)
	for attempt := 2; attempt < 40; attempt++ {
		st.now = st.now.Add(18 * time.Second)
		types, _ := st.decide(TickInput{})
		require.Equal(t, []string{"step.queued a", "step.waiting a"}, types)
		require.Equal(t, attempt, st.s.Step("a").Attempt)
	}
	require.Equal(t, BecauseNoRunner, st.s.reason(st.s.Step("a")).Code)
}

func TestALowerEpochIsRefused(t *testing.T) {
	n := node("a")
	st := newStage(t, n)
	st.create("1", event.Create{}, n)
	ref := st.ref("a")
	ref.Epoch = 1
	types, _ := st.decide(ResultInput{event.Result{TaskRef: ref, Runner: "r/1"}})
	require.Equal(t, []string{"result.refused"}, types)
	require.Equal(t, StateWaiting, st.s.Step("a").State)
}

func TestCommandsThatDoNotFitAreRejectedOnceAndAnsweredTwice(t *testing.T) {
	n := node("a")
	st := newStage(t, n)
	reject := func(in Input, code fault.Code) {
		t.Helper()
		types, answer := st.decide(in)
		require.Equal(t, []string{"command.rejected"}, types)
		require.False(t, answer.Accepted)
		require.Equal(t, code, answer.Error.Code)
		types, again := st.decide(in)
		require.Empty(t, types)
		require.True(t, again.Duplicate)
		require.Equal(t, code, again.Error.Code)
	}
	meta := func(id string) CommandMeta { return CommandMeta{CommandID: id} }
	reject(DestroyInput{CommandMeta: meta("1")}, fault.NotFound)
	reject(CancelInput{CommandMeta: meta("2")}, fault.NotFound)
	st.create("3", event.Create{}, n)
	reject(CreateInput{CommandMeta: meta("4")}, fault.Busy)
	reject(DestroyInput{CommandMeta: meta("5")}, fault.Busy)
	types, answer := st.decide(CreateInput{CommandMeta: meta("3")})
	require.Empty(t, types)
	require.True(t, answer.Accepted && answer.Duplicate)
	require.Equal(t, "op-1", answer.Operation)
	st.finish("a", nil)
	reject(CreateInput{CommandMeta: meta("6")}, fault.Exists)
	reject(CancelInput{CommandMeta: meta("7")}, fault.Conflict)
	reject(RejectInput{CommandMeta: meta("8"), Command: "environment.create", Error: fault.New(fault.Reject, fault.InvalidTemplate, "x")}, fault.InvalidTemplate)
}

func TestForceDestroysPastAFailure(t *testing.T) {
	nodes := []Node{node("a"), node("b", "a")}
	for force, want := range map[bool][]string{
		false: {"step.error b", "step.skipped a", "operation.finished", "environment.destroy-failed"},
		true:  {"step.error b", "step.waiting a"},
	} {
		st := newStage(t, nodes...)
		st.create("1", event.Create{}, nodes...)
		st.finish("a", nil)
		st.finish("b", nil)
		st.decide(DestroyInput{CommandMeta: CommandMeta{CommandID: "2"}, Destroy: event.Destroy{Force: force}})
		require.Equal(t, want, st.finish("b", broken))
		if force {
			require.Contains(t, st.finish("a", nil), "environment.destroy-failed")
			require.Equal(t, Destroyed, st.s.Step("a").Status)
		}
		require.Equal(t, DestroyFailed, st.s.Step("b").Status, "it is kept, and can be tried again")
	}
}

func TestDestroyKeepsTheOrderThroughActions(t *testing.T) {
	action := node("migrate", "db")
	action.Type = ActionNode
	nodes := []Node{node("db"), action, node("api", "migrate")}
	st := newStage(t, nodes...)
	st.create("1", event.Create{}, nodes...)
	for _, n := range nodes {
		st.finish(n.Address, nil)
	}
	types, _ := st.decide(DestroyInput{CommandMeta: CommandMeta{CommandID: "2"}})
	require.Equal(t, []string{"environment.destroying", "step.waiting api"}, types)
	require.Equal(t, []string{"step.complete api", "step.waiting db"}, st.finish("api", nil))
}

func TestValidationDecides(t *testing.T) {
	probed := node("a")
	probed.Probed = true
	for _, err := range []*fault.Error{nil, fault.New(fault.GiveUp, fault.ValidationFailed, "no answer")} {
		st := newStage(t, probed, node("b", "a"))
		st.create("1", event.Create{}, probed, node("b", "a"))
		st.finish("a", nil)
		require.Equal(t, []string{"step.complete b", "environment.validating", "step.waiting a"}, st.finish("b", nil))
		require.Equal(t, Validating, st.s.Status)
		require.Equal(t, 2, st.s.Step("a").Attempt, "a second copy of the apply's result must not pass for the probe's")
		types := st.finish("a", err)
		if err == nil {
			require.Equal(t, []string{"step.complete a", "operation.finished", "environment.deployed"}, types)
		} else {
			require.Equal(t, []string{"step.error a", "operation.finished", "environment.failed"}, types)
		}
	}
}

func TestAnEmptyEnvironmentDeploys(t *testing.T) {
	st := newStage(t)
	require.Equal(t, []string{"environment.created", "environment.deploying", "environment.validating", "operation.finished", "environment.deployed"},
		st.create("1", event.Create{}))
}

func TestEveryFactTypeCanBeRead(t *testing.T) {
	require.Len(t, decoders, len(Bodies()))
	for _, b := range Bodies() {
		data, err := json.Marshal(b)
		require.NoError(t, err)
		got, err := DecodeBody(b.Type(), data)
		require.NoError(t, err)
		require.Equal(t, b.Type(), got.Type())
	}
	_, err := DecodeBody("step.vanished", nil)
	require.Error(t, err)
}

func TestEvolveRefusesWhatCannotFollow(t *testing.T) {
	for _, b := range []Body{StepWaiting{Step: "a"}, StepComplete{Step: "nobody"}} {
		require.Error(t, Evolve(NewState("x"), Fact{Body: b}))
	}
	bad := Created{Nodes: []Node{node("b", "a"), node("a")}}
	require.Error(t, Evolve(NewState("x"), Fact{Body: bad}))
}

func TestRetryTakesUpWhatFailedAndWhatDependsOnIt(t *testing.T) {
	nodes := []Node{node("a"), node("b", "a"), node("c", "b"), node("d", "a")}
	st := newStage(t, nodes...)
	st.create("1", event.Create{}, nodes...)
	st.finish("a", nil)
	st.finish("b", broken)
	st.finish("d", nil)
	require.Equal(t, Failed, st.s.Status)
	types, answer := st.decide(RetryInput{CommandMeta: CommandMeta{CommandID: "2"}})
	require.True(t, answer.Accepted)
	require.Equal(t, []string{"environment.retrying", "environment.deploying", "step.waiting b"}, types, "a and d are done")
	require.Equal(t, []string{"step.complete b", "step.waiting c"}, st.finish("b", nil))
	require.Contains(t, st.finish("c", nil), "environment.deployed")

	_, answer = st.decide(RetryInput{CommandMeta: CommandMeta{CommandID: "3"}})
	require.Equal(t, fault.Conflict, answer.Error.Code, "nothing failed")
	st.decide(DestroyInput{CommandMeta: CommandMeta{CommandID: "4"}})
	st.finish("c", broken)
	st.finish("d", nil)
	require.Equal(t, DestroyFailed, st.s.Status)
	types, _ = st.decide(RetryInput{CommandMeta: CommandMeta{CommandID: "5"}})
	require.Equal(t, []string{"environment.destroying", "step.waiting c"}, types, "a destroy is retried as a destroy")
}

func TestAPausedOperationStartsNothingNew(t *testing.T) {
	nodes := []Node{node("a"), node("b", "a")}
	st := newStage(t, nodes...)
	st.create("1", event.Create{}, nodes...)
	types, _ := st.decide(PauseInput{CommandMeta: CommandMeta{CommandID: "2"}})
	require.Equal(t, []string{"operation.paused"}, types)
	require.Equal(t, []string{"step.complete a"}, st.finish("a", nil), "what runs goes on")
	require.Equal(t, BecausePaused, st.s.reason(st.s.Step("b")).Code)
	_, answer := st.decide(PauseInput{CommandMeta: CommandMeta{CommandID: "3"}})
	require.Equal(t, fault.Conflict, answer.Error.Code)
	types, _ = st.decide(ResumeInput{CommandMeta: CommandMeta{CommandID: "4"}})
	require.Equal(t, []string{"operation.resumed", "step.waiting b"}, types)
}

func TestAStepWaitsForARunnerAndSaysSo(t *testing.T) {
	nodes := []Node{node("a"), node("a2"), node("b")}
	st := newStage(t, nodes...)
	var pool Pool
	st.pool = func(name, executor string) Pool {
		require.Equal(t, DefaultPool, name)
		if executor == "" {
			return Pool{} // whatever they can do
		}
		require.Equal(t, "x", executor)
		return pool
	}
	reason := func() *Reason { return st.s.reason(st.s.Step("b")) }
	tick := func() []string { types, _ := st.decide(TickInput{}); return types }
	require.Equal(t, []string{"environment.created", "environment.deploying", "operation.held"}, st.create("1", event.Create{}, nodes...))
	require.Equal(t, BecauseNoRunner, reason().Code)
	require.Contains(t, reason().Detail, "vivarium runner --pool default")
	require.Empty(t, tick(), "said once")

	pool = Pool{Runners: 1, Concurrency: 1, Open: &event.Breaker{Target: "vault.example.test", Until: st.now.Add(time.Minute)}}
	require.Equal(t, []string{"operation.held"}, tick())
	require.Equal(t, BecauseBreaker, reason().Code)
	require.Contains(t, reason().Detail, "vault.example.test")

	st.now = st.now.Add(2 * time.Minute)
	require.Equal(t, []string{"step.waiting a", "step.waiting a2", "operation.held"}, tick(), "twice what they can do at once, so that they never idle")
	require.Equal(t, BecausePoolLimit, reason().Code)
	require.Equal(t, []string{"step.complete a", "step.waiting b", "operation.held"}, st.finish("a", nil))
	require.Empty(t, st.s.Operation.Holds)
}

func TestAnOpenBreakerIsNoFailure(t *testing.T) {
	n := node("a")
	st := newStage(t, n)
	st.create("1", event.Create{}, n)
	for range 20 {
		until := st.now.Add(5 * time.Second)
		types, _ := st.decide(ResultInput{event.Result{TaskRef: st.ref("a"), Runner: "r/1", NotBefore: &until,
			Error: fault.New(fault.Wait, fault.BreakerOpen, "vault does not answer")}})
		require.Equal(t, []string{"step.queued a"}, types)
		require.Equal(t, BecauseBreaker, st.s.reason(st.s.Step("a")).Code)
		require.Equal(t, until, st.s.Wake(st.now))
		st.now = until
		st.decide(TickInput{})
	}
	require.Contains(t, st.finish("a", nil), "environment.deployed")
}

func TestAStepThatMayNotWaitForEverExpires(t *testing.T) {
	n := node("a")
	n.Expiry = time.Minute
	st := newStage(t, n)
	st.pool = func(string, string) Pool { return Pool{} }
	st.create("1", event.Create{}, n)
	st.now = st.now.Add(59 * time.Second)
	types, _ := st.decide(TickInput{})
	require.Empty(t, types)
	st.now = st.now.Add(2 * time.Second)
	types, _ = st.decide(TickInput{})
	require.Equal(t, []string{"step.error a", "operation.finished", "environment.failed"}, types)
	require.Equal(t, fault.Expired, st.s.Error.Code)
}

func TestAClockThatJumpsByAnHour(t *testing.T) {
	n := node("a")
	st := newStage(t, n)
	st.create("1", event.Create{}, n)
	st.decide(AcceptedInput{event.Accepted{TaskRef: st.ref("a"), Runner: "box/1"}})
	st.now = st.now.Add(-time.Hour)
	types, _ := st.decide(TickInput{})
	require.Empty(t, types, "backwards: the lease lasts longer, and heartbeats set it right")
	st.decide(HeartbeatInput{Runner: "box/1", TaskRef: st.ref("a")})
	st.now = st.now.Add(21 * time.Second)
	types, _ = st.decide(TickInput{})
	require.Equal(t, []string{"step.queued a"}, types)
	st.now = st.now.Add(time.Hour)
	types, _ = st.decide(TickInput{})
	require.Equal(t, []string{"step.waiting a"}, types, "forwards: the attempt before is fenced by its number")
	require.Contains(t, st.finish("a", nil), "environment.deployed")
}

func TestProgressIsToldOnce(t *testing.T) {
	n := node("a")
	st := newStage(t, n)
	st.create("1", event.Create{}, n)
	beat := func(done int) []string {
		types, _ := st.decide(HeartbeatInput{Runner: "box/1", TaskRef: st.ref("a"), Progress: &event.Progress{Done: done, Total: 3}})
		return types
	}
	require.Equal(t, []string{"step.running a", "step.progress a"}, beat(1))
	require.Empty(t, beat(1))
	require.Equal(t, []string{"step.progress a"}, beat(2))
	_, foreign := st.decide(HeartbeatInput{Runner: "other/1", TaskRef: st.ref("a"), Progress: &event.Progress{Done: 9}})
	require.Nil(t, foreign)
	require.Equal(t, 2, st.s.Step("a").Progress.Done)
}
