package environment

import (
	"maps"
	"slices"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// parts is the world's own knowledge of what is done with groups alone, by the facts alone.
type parts struct {
	paused map[string]bool
	groups []string        // of the redeploy or the retry that is under way, nil for all else
	again  bool            // it is a redeploy
	done   map[string]bool // addresses that were applied in it
	lost   bool            // the server does not have all kinds
}

// part does something with a group alone.
func (w *world) part() {
	group := rapid.SampledFrom([]string{"g", "h"}).Draw(w.t, "part")
	groups := []string{group}
	if rapid.Bool().Draw(w.t, "at leisure") {
		w.settle()
	}
	there := w.state.grouped(groups) == nil
	switch rapid.IntRange(0, 4).Draw(w.t, "with") {
	case 0:
		may := w.state.Remains() && there && !w.parts.paused[group]
		answer := w.decide(PauseInput{CommandMeta: w.meta(), Pause: event.Pause{Groups: groups, Reason: "of it"}})
		require.Equal(w.t, may, answer.Accepted, "%v", answer.Error)
	case 1:
		w.resumePart(group)
	case 4:
		w.lack()
	case 2:
		free := w.state.Exists() && !w.state.Busy() && w.state.Lock == nil
		may, ruled := free && there && w.state.Status == Deployed && !w.state.partly(), len(w.state.Approvals) > 0
		answer := w.decide(RedeployInput{CommandMeta: w.of(rapid.SampledFrom(people).Draw(w.t, "asker")), Redeploy: event.Redeploy{Groups: groups, FailFast: rapid.Bool().Draw(w.t, "failfast")}})
		unreadable := may && ruled && answer.Error != nil && answer.Error.Code == fault.NotFound // the template, for the plan
		require.True(w.t, may == answer.Accepted || unreadable, "%v", answer.Error)
	default:
		w.retryPart(groups)
	}
}

func (w *world) resumePart(group string) {
	may := w.state.Remains() && w.parts.paused[group]
	answer := w.decide(ResumeInput{CommandMeta: w.meta(), Resume: event.Resume{Groups: []string{group}}})
	require.Equal(w.t, may, answer.Accepted, "%v", answer.Error)
}

// resumeParts lets all go on.
func (w *world) resumeParts() {
	for _, group := range slices.Sorted(maps.Keys(w.parts.paused)) {
		w.resumePart(group)
	}
}

func (p *parts) check(w *world, f Fact) {
	p.checkKinds(w, f)
	w.checkPartings(f)
	switch b := f.Body.(type) {
	case GroupPaused:
		for _, g := range b.Groups {
			p.paused[g] = true
		}
	case GroupResumed:
		for _, g := range b.Groups {
			delete(p.paused, g)
		}
	case StatusDestroying:
		p.resumed(w, b)
		w.taken.sees(b.Groups != nil && b.Plan != "", event.EnvironmentDestroy+" of groups as planned")
	case Redeploying:
		p.groups, p.again, p.done, w.healing = b.Groups, true, map[string]bool{}, false
	case StatusRetrying:
		p.groups, p.again, p.done = b.Groups, false, map[string]bool{}
		w.taken.sees(b.Plan != "", event.EnvironmentRetry+" of groups as planned")
	case Created:
		if p.groups = nil; !b.Planned {
			p.forget()
		}
	case Finished:
		p.groups = nil
	case StatusDestroyed:
		if !w.state.Down {
			p.forget()
		}
	case StatusDeployed:
		if p.again && b.Operation == w.state.Operation.ID && w.state.Operation.Kind == UpdateOperation && w.state.Operation.Groups != nil {
			p.redeployed(w)
		}
	case StepComplete:
		p.done[b.Step] = p.done[b.Step] || w.offered[w.names.identity(b.Step)].Verb == event.Apply
	case StepWaiting:
		p.offered(w, b)
	}
}

// resumed: a destroy by force waits for nobody, and no other ends a pause.
func (p *parts) resumed(w *world, b StatusDestroying) {
	for _, g := range b.Resumes {
		require.True(w.t, b.Force && p.paused[g], "%s was not paused, or goes on although nobody forces it", g)
		delete(p.paused, g)
	}
	w.taken.sees(b.Resumes != nil, event.EnvironmentDestroy+" past a pause")
	held := func(n *Step) bool { return b.Force && w.state.takesPart(n) && p.paused[n.Group] }
	require.False(w.t, slices.ContainsFunc(w.state.Nodes, held), "a destroy by force waits for a group that is paused")
}

// forget: with the environment its pauses are gone.
func (p *parts) forget() { clear(p.paused) }

func (p *parts) offered(w *world, b StepWaiting) {
	n := w.state.Step(b.Step)
	if p.paused[n.Group] {
		w.t.Fatalf("%s is offered, and its group %s is paused", b.Step, n.Group)
	}
	if p.groups == nil || (b.Verb != event.Apply && b.Verb != event.Destruct) {
		return
	}
	if !w.rests(n, p.groups, map[string]bool{}) {
		w.t.Fatalf("%s is offered in an operation of %v alone, and has nothing to do with them", b.Step, p.groups)
	}
}

// rests tells whether a node is of these groups, or depends on one that is.
func (w *world) rests(n *Step, groups []string, seen map[string]bool) bool {
	if slices.Contains(groups, n.Group) {
		return true
	}
	for _, d := range n.DependsOn {
		if !seen[d] {
			seen[d] = true
			if w.rests(w.state.Step(d), groups, seen) {
				return true
			}
		}
	}
	return false
}

// redeployed: all of the groups was applied, whatever it was given.
func (p *parts) redeployed(w *world) {
	for _, n := range w.state.Nodes {
		if n.Type == ResourceNode && slices.Contains(w.state.Operation.Groups, n.Group) && !p.done[n.Address] {
			w.t.Fatalf("deployed again, but %s was not applied", n.Address)
		}
	}
}
