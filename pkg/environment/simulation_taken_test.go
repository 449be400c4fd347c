package environment

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/vivarium-env/vivarium/pkg/event"
)

// taken counts the commands that were accepted. One that is always refused shows nothing of what it does.
type taken struct {
	sequences int
	counts    map[string]int
}

// count tells apart what one command does in ways of its own.
func (c *taken) count(in Input, answer *event.Answer) {
	if c == nil || answer == nil || !answer.Accepted || answer.Duplicate {
		return
	}
	c.counts[answer.Command]++
	ways := map[string]bool{"queued": answer.Queued}
	switch in := in.(type) {
	case CreateInput:
		ways["by rule"] = in.Approval != nil
	case UpdateInput:
		ways["healing"], ways["by rule"], ways["moving"] = in.Heal, in.Approval != nil, in.Moves != nil
	case DestroyInput:
		ways["of groups"], ways["by force"] = in.Groups != nil, in.Force
	case ScheduleInput:
		ways["lifetime"], ways["hours"], ways["drift"], ways["nothing"] = in.DestroyAt != nil, in.Hours != nil, in.Drift != nil, in.DestroyAt == nil && in.Hours == nil && in.Drift == nil
	case PlanInput:
		ways["of a destroy"], ways["healing"] = in.Destroy, in.Heal
	case RetryInput:
		ways["of groups"] = in.Groups != nil
	case PauseInput:
		ways["of groups"] = in.Groups != nil
	case ResumeInput:
		ways["of groups"] = in.Groups != nil
	case CheckInput:
		ways["of one"], ways["of all"] = in.Resources != nil, in.Resources == nil
	case AdoptInput:
		ways["of something"] = len(in.Adopt.Resources) > 0
	case CancelInput:
		ways["of what waits"], ways["of what runs"] = in.Queued, !in.Queued
	case BeginInput:
		ways["having waited"] = true
	}
	for way, is := range ways {
		if is {
			c.counts[answer.Command+" "+way]++
		}
	}
}

// sees counts what facts show of the ways in which commands are carried out.
func (c *taken) sees(is bool, way string) {
	if c != nil && is {
		c.counts[way]++
	}
}

// enough is how many sequences take every command several times, whatever is drawn.
const enough = 8000

// all fails where a command was never accepted: then it is not drawn, or what is drawn of it is never any good.
func (c *taken) all(t *testing.T) {
	t.Logf("accepted in %d sequences: %v", c.sequences, c.counts)
	if c.sequences < enough {
		return
	}
	var never []string
	for _, command := range append(event.Commands(), ways...) {
		if c.counts[command] == 0 {
			never = append(never, command)
		}
	}
	require.Empty(t, never, "never accepted in %d sequences", c.sequences)
}

// ways are what commands can do besides, and are to be seen doing.
var ways = []string{
	event.EnvironmentCreate + " by rule", event.EnvironmentUpdate + " by rule", event.EnvironmentUpdate + " healing", event.EnvironmentUpdate + " moving",
	event.EnvironmentUpdate + " queued", event.EnvironmentUpdate + " having waited", event.EnvironmentDestroy + " queued",
	event.EnvironmentDestroy + " having waited", event.EnvironmentDestroy + " of groups", event.EnvironmentDestroy + " by force",
	event.EnvironmentDestroy + " past a pause", event.EnvironmentDestroy + " of groups as planned", event.EnvironmentRetry + " of groups as planned",
	event.EnvironmentRetry + " of groups", event.EnvironmentPause + " of groups", event.EnvironmentResume + " of groups",
	event.EnvironmentSchedule + " lifetime", event.EnvironmentSchedule + " hours", event.EnvironmentSchedule + " drift", event.EnvironmentSchedule + " nothing",
	event.EnvironmentPlan + " of a destroy", event.EnvironmentPlan + " healing", event.EnvironmentCheck + " of one", event.EnvironmentCheck + " of all",
	event.EnvironmentAdopt + " of something", event.EnvironmentCancel + " of what waits", event.EnvironmentCancel + " of what runs",
}

// attend is somebody who looks at the environment before he asks for something, so that it can be had; true: he has.
func (w *world) attend() bool {
	switch busy := w.state.Busy(); {
	case w.state.awaiting() != nil && rapid.IntRange(0, 2).Draw(w.t, "answers") == 0:
		w.judge()
	case slices.ContainsFunc(w.state.Nodes, func(n *Step) bool { return n.State == StateUncertain }) && rapid.IntRange(0, 2).Draw(w.t, "settles") == 0:
		w.clear(false)
	case !busy && w.state.Status == Failed && rapid.IntRange(0, 5).Draw(w.t, "mends") == 0:
		w.retryPart([]string{rapid.SampledFrom([]string{"g", "h"}).Draw(w.t, "part")})
	case busy && rapid.IntRange(0, 5).Draw(w.t, "waits") == 0:
		w.settle()
	case !busy && w.state.Status == Deployed && rapid.IntRange(0, 2).Draw(w.t, "asks") > 0:
		w.ask()
	default:
		return false
	}
	return true
}

// ask is something that a deployed environment can do.
func (w *world) ask() {
	node := func(what string, is func(*Step) bool) *Step {
		var all []*Step
		for _, n := range w.state.Nodes {
			if is(n) {
				all = append(all, n)
			}
		}
		if len(all) == 0 {
			return nil
		}
		return rapid.SampledFrom(all).Draw(w.t, what)
	}
	switch rapid.IntRange(0, 7).Draw(w.t, "for") {
	case 0:
		if n := node("action", func(n *Step) bool { return n.RunsOn(OnDemand) }); n != nil {
			w.run(n)
		}
	case 1:
		w.look()
	case 2:
		w.destroyPart()
	case 3:
		w.propose()
		w.settle()
		if rapid.Bool().Draw(w.t, "looks") && len(w.state.Nodes) > 0 {
			w.seen()
		}
		w.carryOut()
	case 4:
		w.part()
	case 5:
		if len(w.state.Nodes) > 0 {
			w.seen()
		}
	default:
		w.update()
	}
}
