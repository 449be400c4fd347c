package environment

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

func (w *world) act() {
	w.now = w.now.Add(time.Duration(rapid.IntRange(0, 3000).Draw(w.t, "ms")) * time.Millisecond)
	pick := func(list []event.TaskRef) int { return rapid.IntRange(0, len(list)-1).Draw(w.t, "task") }
	if w.attend() {
		return
	}
	switch what := rapid.IntRange(0, 31).Draw(w.t, "what"); {
	case what == 28:
		w.lock()
	case what == 30 && w.state.Next != (Appointments{}) && rapid.Bool().Draw(w.t, "its hours come"):
		w.elapse()
	case what == 21 && len(w.state.Nodes) > 0:
		w.seen()
	case what == 29:
		w.schedule()
	case what == 30:
		w.others.move(w)
		w.decide(TickInput{})
	case what == 31 && rapid.Bool().Draw(w.t, "at leisure"):
		w.settle()
		w.propose()
		w.settle()
		w.carryOut()
	case what == 31 && rapid.Bool().Draw(w.t, "judges"):
		w.judge()
	case what == 31:
		w.carryOut()
	case what == 27 && rapid.Bool().Draw(w.t, "plans"):
		w.propose()
	case what == 27:
		w.look()
	case what == 26 && rapid.IntRange(0, 2).Draw(w.t, "takes over") == 0:
		w.promote()
	case what == 25 && w.ledger.hold != nil:
		w.ledger.hold = nil
	case what == 25 && rapid.Bool().Draw(w.t, "settles"):
		w.clear(false)
	case what >= 25:
		w.update()
	case what == 1 && rapid.Bool().Draw(w.t, "in part"):
		w.part()
	case what <= 1:
		w.create(CreateInput{CommandMeta: w.meta(), Create: event.Create{FailFast: rapid.Bool().Draw(w.t, "failfast"), Approval: w.drawRule()}, Resolved: w.resolved()})
	case what == 2 && rapid.Bool().Draw(w.t, "later"):
		w.enqueue()
	case what == 2 && rapid.Bool().Draw(w.t, "in part"):
		w.destroyPart()
	case what == 2:
		w.decide(DestroyInput{CommandMeta: w.meta(), Destroy: event.Destroy{Force: rapid.Bool().Draw(w.t, "force"), DespiteConsumers: w.others.drawDespite(w)}})
	case what == 3 && rapid.Bool().Draw(w.t, "really"):
		w.decide(CancelInput{CommandMeta: w.meta()})
	case what == 4 && w.command > 0:
		answer := w.decide(DestroyInput{CommandMeta: CommandMeta{CommandID: fmt.Sprintf("c%d", rapid.IntRange(1, w.command).Draw(w.t, "old"))}})
		require.True(w.t, answer.Duplicate)
	case what == 5 && len(w.old) > 0:
		w.decide(w.resultOf(w.old[pick(w.old)])) // late, or a second copy
	case what == 6 && len(w.tasks) > 0:
		ref := w.tasks[pick(w.tasks)]
		w.decide(AcceptedInput{event.Accepted{TaskRef: ref, Runner: "r/1", StartedAt: w.now}})
		w.leased(ref)
	case what == 7 && len(w.tasks) > 0:
		w.decide(RefusedInput{event.Refused{TaskRef: w.take(pick(w.tasks)), Runner: "r/2", Code: rapid.SampledFrom([]fault.Code{fault.Cancelled, "redelivered", fault.ExecutorUnknown}).Draw(w.t, "code")}})
	case what == 8 && len(w.tasks) > 0:
		w.take(pick(w.tasks)) // its runner dies
	case what == 9:
		w.elapse()
	case what == 10:
		w.old = append(w.old, w.tasks...)
		w.tasks = nil
		w.decide(RunnerStartedInput{Name: "r", Runner: "r/3"})
	case what == 11:
		w.drawPool()
		w.decide(TickInput{})
	case what == 12:
		w.decide(RetryInput{CommandMeta: w.meta(), Retry: event.Retry{FailFast: rapid.Bool().Draw(w.t, "failfast")}})
	case what == 13 && w.state.Operation != nil && w.state.Operation.Paused:
		w.decide(ResumeInput{CommandMeta: w.meta()})
	case what == 13 && rapid.Bool().Draw(w.t, "really"):
		w.decide(PauseInput{CommandMeta: w.meta()})
	case what == 20 && len(w.state.Nodes) > 0:
		w.report(rapid.SampledFrom(w.state.Nodes).Draw(w.t, "watched"))
	case what == 15 && len(w.state.Nodes) > 0:
		w.run(rapid.SampledFrom(w.state.Nodes).Draw(w.t, "action"))
	case what == 14 && len(w.tasks) > 0:
		ref := w.tasks[pick(w.tasks)]
		w.decide(HeartbeatInput{Runner: "r/1", TaskRef: ref, Progress: &event.Progress{Done: rapid.IntRange(0, 3).Draw(w.t, "done")}})
		w.leased(ref)
	case (what == 16 || what > 21) && len(w.tasks) > 0:
		w.decide(w.keeper.save(w, w.tasks[pick(w.tasks)]))
	case what == 17 && len(w.old) > 0:
		w.decide(w.keeper.save(w, w.old[pick(w.old)])) // of a runner that was given up, or that has told its result
	case what == 18 && len(w.keeper.sent) > 0:
		w.decide(rapid.SampledFrom(w.keeper.sent).Draw(w.t, "copy"))
	case len(w.tasks) > 0:
		w.decide(w.resultOf(w.take(pick(w.tasks))))
	}
}

// report says how something stands; only what is watched, of the right operation, is believed, and only what is new.
func (w *world) report(n *Step) {
	w.sequence++
	in := event.ResourceHealth{Environment: "sim", Step: n.ID(), Operation: n.Operation, Runner: "r/1", Sequence: w.sequence, Epoch: w.epoch,
		Status: rapid.SampledFrom(event.HealthStatuses()).Draw(w.t, "health")}
	if rapid.IntRange(0, 5).Draw(w.t, "stale") == 0 {
		in.Operation = "op-0"
	}
	was, facts := n.Health, len(w.facts)
	watched := w.state.Watched() && was != nil && in.Operation == n.Operation
	w.decide(HealthInput{in})
	taken := slices.ContainsFunc(w.facts[facts:], func(f Fact) bool { return f.Body.Type() == (ResourceHealth{}).Type() })
	if taken && (!watched || was.Status == in.Status || w.now.Sub(was.Since) < was.hold()) {
		w.t.Fatalf("%s: %v was taken where it was %v", n.Address, in, was)
	}
	if watched && was.hold() == 0 && was.Status != in.Status {
		require.Equal(w.t, in.Status, n.Health.Status)
	}
}

// run asks for an action; what it was before, the environment is again at the end.
func (w *world) run(n *Step) {
	before, busy := w.state.Status, w.state.Busy()
	asked := w.asked
	w.asked = n.Address
	a := w.decide(RunInput{CommandMeta: w.meta(), Run: event.Run{Action: n.Address}})
	may := !busy && (before == Deployed || before == Failed) && n.RunsOn(OnDemand) && !n.Down && !n.Doomed && w.state.Lock == nil
	require.Equal(w.t, may, a.Accepted, "%s of an environment that is %s", n.Address, before)
	if !a.Accepted {
		w.asked = asked
	}
}

// propose asks for a plan, and what is there has to be left alone by that.
func (w *world) propose() {
	in := PlanInput{CommandMeta: w.meta(), Proposal: event.Proposal{Destroy: rapid.Bool().Draw(w.t, "destroy"), Heal: rapid.Bool().Draw(w.t, "heal")}}
	before, status, busy, exists := w.plan, w.state.Status, w.state.Busy(), w.state.Exists()
	executors := maps.Clone(w.executors)
	switch {
	case busy || in.Destroy:
	case !exists:
		in.Nodes = w.graph()
	default:
		in.Nodes, in.Moves = w.move(w.mutate())
	}
	if !busy && !in.Destroy {
		in.Resolved.Templates, in.Resolved.Approvals = w.planner.think(w.plan), w.plan.rules
	}
	if !busy {
		w.before = w.own()
	}
	identified, _ := w.state.identify(in.Nodes, in.Moves)
	protects := w.state.keeps(identified) != nil
	answer := w.decide(in)
	w.plan = before
	maps.Copy(w.executors, executors)
	if answer.Error != nil && answer.Error.Code == fault.InputsUnresolved {
		return // an action that would have to run before something goes can't, without what it uses
	}
	require.Equal(w.t, !busy && (exists || !in.Destroy) && (in.Destroy || status != DestroyFailed) && !protects, answer.Accepted, "%+v of what is %q", answer.Error, status)
}

// look asks for a look at all, or at one that may not be there.
func (w *world) look() {
	in := CheckInput{CommandMeta: w.meta()}
	may := !w.state.Busy() && (w.state.Status == Deployed || w.state.Status == Failed)
	if len(w.state.Nodes) > 0 && rapid.IntRange(0, 2).Draw(w.t, "one") == 0 {
		n := rapid.SampledFrom(w.state.Nodes).Draw(w.t, "resource")
		in.Resources = []string{n.Address}
		may = may && n.Type == ResourceNode && n.Exists
	}
	require.Equal(w.t, may, w.decide(in).Accepted, "%v of an environment that is %s", in.Resources, w.state.Status)
}

// update draws a graph, or what one change makes of the present one.
func (w *world) update() {
	in := UpdateInput{CommandMeta: w.meta(), Update: event.Update{FailFast: rapid.Bool().Draw(w.t, "failfast"), Heal: rapid.Bool().Draw(w.t, "heal")}}
	before := w.plan
	may := w.state.Exists() && !w.state.Busy() && w.state.Status != DestroyFailed
	if may {
		in.Nodes, in.Moves = w.move(w.mutate())
	}
	in.Approval = w.drawRule()
	in.RequestedBy = rapid.SampledFrom(people).Draw(w.t, "asker")
	w.revision(w.revise(in, may), may, before)
}

// revision asks for what makes the environment another one, or leaves it as it was.
func (w *world) revision(asked Input, may bool, before echo) {
	if may {
		asked = w.think(asked)
	}
	if answer := w.takeOver(asked); !answer.Accepted {
		w.plan = before
	} else if w.state.Operation.Kind != UpdateOperation {
		w.plan = before // it waits, or is being planned
	} else if !w.planner.byPlan {
		w.revised(resolvedOf(asked))
	}
}
