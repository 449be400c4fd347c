package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// teller tells a journal, entry by entry in their order.
type teller struct {
	verbs map[string]event.Verb // last offered, by step
}

func newTeller() *teller { return &teller{verbs: map[string]event.Verb{}} }

// words tell an entry in one line: what happened, who asked for it and why. What this version has no words for is named by its
// step, if any.
func (t *teller) words(e store.Entry) string {
	body, err := entryBody(e)
	if err != nil {
		return stepOf(e)
	}
	switch b := body.(type) {
	case environment.StepWaiting:
		t.verbs[b.Step] = b.Verb
	case environment.StepComplete:
		return b.Step + ": " + cmp.Or(done[t.verbs[b.Step]], "done")
	}
	for _, tell := range []func(any) string{environmentWords, operationWords, approvalWords, planWords, resourceWords, stepWords, takeoverWords} {
		if text := tell(body); text != "" {
			return text
		}
	}
	return stepOf(e)
}

// environmentWords are about what the environment is and is to be.
func environmentWords(body any) string {
	switch b := body.(type) {
	case environment.PublicCreated:
		text := fmt.Sprintf("created from %s, %d steps%s", commitsText(b.Templates), b.Steps, askedBy(b.RequestedBy, b.Planned))
		return text + carriesOut(b.Plan) + ending(b.DestroyAt)
	case environment.PublicUpdated:
		return updateWords(b.Updated)
	case environment.StatusDeploying:
		return "the steps begin"
	case environment.StatusValidating:
		return fmt.Sprintf("all is applied; status endpoints that are asked whether they answer: %d", b.Probes)
	case environment.StatusDeployed:
		return "all is there, as it is to be"
	case environment.StatusFailed:
		return "not all is there: " + because(b.Error)
	case environment.StatusDestroying:
		return destroyingWords(b)
	case environment.StatusDestroyed:
		return "nothing is left, as was proven of every resource"
	case environment.StatusDestroyFailed:
		return "something is left, or may be: " + because(b.Error)
	case environment.Scheduled:
		return scheduleWords(b)
	case environment.Appointed:
		return "its hours come next: " + appointmentWords(b.Appointments)
	case environment.DestructionAhead:
		return fmt.Sprintf("warning: destroyed by itself at %s, in %s or less", moment(b.DestroyAt), b.Warning)
	case environment.DestructionHeld:
		return "its time has come, but it can't be destroyed: " + because(b.Error)
	case environment.Locked:
		return "locked" + askedBy(b.RequestedBy, false) + reasonWords(b.Reason)
	case environment.Unlocked:
		return "unlocked" + askedBy(b.RequestedBy, false)
	}
	return ""
}

func updateWords(b environment.Updated) string {
	var changed []string
	for _, c := range sortedChanges(b.Changed) {
		changed = append(changed, c.Name+parameterText(c))
	}
	text := "updated, to " + commitsText(b.Templates)
	if len(changed) > 0 {
		text += ", " + strings.Join(changed, ", ")
	}
	if b.Heal {
		text += ", and what was found off is applied again"
	}
	return text + askedBy(b.RequestedBy, false) + carriesOut(b.Plan) + ending(b.DestroyAt)
}

func scheduleWords(b environment.Scheduled) string {
	text := "not destroyed by itself"
	if b.DestroyAt != nil {
		text = "destroyed by itself at " + moment(*b.DestroyAt)
	}
	if d := b.Drift; d != nil {
		text += fmt.Sprintf("; drift: policy %q, interval %q", d.Policy, d.Interval)
	}
	if h := b.Hours; !h.None() {
		text += fmt.Sprintf("; hours: up %q, down %q, check %q", h.Up, h.Down, h.Check)
	}
	return text + askedBy(b.RequestedBy, false)
}

func appointmentWords(a environment.Appointments) string {
	var all []string
	for what, at := range map[string]*time.Time{"up": a.Up, "down": a.Down, "check": a.Check} {
		if at != nil {
			all = append(all, what+" at "+moment(*at))
		}
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// operationWords are about an operation as a whole.
func operationWords(body any) string {
	switch b := body.(type) {
	case environment.CommandQueued:
		return b.Command + " waits for what is under way" + askedBy(b.RequestedBy, false)
	case environment.QueueDropped:
		return "what waited is dropped" + askedBy(b.RequestedBy, false) + reasonWords(b.Reason)
	case environment.CommandRejected:
		return b.Command + " was refused" + askedBy(b.RequestedBy, false) + ": " + because(b.Error)
	case environment.StatusRetrying:
		return groupsText(b.Groups) + "tried again where it failed" + askedBy(b.RequestedBy, false)
	case environment.StatusRunning:
		return b.Action + " is run" + askedBy(b.RequestedBy, false)
	case environment.Cancelling:
		return "cancelled: nothing new begins" + askedBy(b.RequestedBy, false) + reasonWords(b.Reason)
	case environment.Paused:
		return "paused: nothing new begins" + askedBy(b.RequestedBy, false) + reasonWords(b.Reason)
	case environment.GroupPaused:
		return groupsText(b.Groups) + "paused: nothing new of it begins" + askedBy(b.RequestedBy, false) + reasonWords(b.Reason)
	case environment.GroupResumed:
		return groupsText(b.Groups) + "goes on" + askedBy(b.RequestedBy, false)
	case environment.Redeploying:
		return groupsText(b.Groups) + "applied again" + askedBy(b.RequestedBy, false) + carriesOut(b.Plan)
	case environment.Resumed:
		return "goes on" + askedBy(b.RequestedBy, false)
	case environment.Held:
		return heldWords(b)
	case environment.Finished:
		text := fmt.Sprintf("the %s has %s", b.Kind, b.Status)
		if b.Status == environment.OperationCancelled {
			text = fmt.Sprintf("the %s was cancelled", b.Kind)
		}
		return text + countWords(b.Steps)
	}
	return ""
}

func heldWords(b environment.Held) string {
	of := b.Executor
	if b.Environment != "" {
		of = "what uses " + b.Environment + "." + b.Output
	}
	if b.Templates {
		of = "what its templates are needed for"
	}
	if b.Reason == nil {
		return of + ": no longer held up"
	}
	return of + ": held up, " + strings.TrimSuffix(string(b.Reason.Code)+", "+b.Reason.Detail, ", ")
}

func countWords[K ~string](counts map[K]int) string {
	var all []string
	for _, of := range slices.Sorted(maps.Keys(counts)) {
		if counts[of] > 0 {
			all = append(all, fmt.Sprintf("%d %s", counts[of], of))
		}
	}
	if len(all) == 0 {
		return ""
	}
	return ": " + strings.Join(all, ", ")
}

// planWords are about what would change.
func planWords(body any) string {
	switch b := body.(type) {
	case environment.PublicPlanning:
		return planningWords(b)
	case environment.StepPlanned:
		if b.Error != nil {
			return b.Step + ": it can't be told what would change: " + because(b.Error)
		}
		return b.Step + ": " + wouldWords(b.Plan) + differenceWords(b.Plan.Differences, b.Plan.Omitted)
	case environment.StatusPlanned:
		text := "planned" + countWords(wouldCounts(b.Counts))
		if b.Until != nil {
			text += "; it can be carried out until " + moment(*b.Until)
		}
		return text
	case environment.PlansLapsed:
		return "too late to be carried out now: " + strings.Join(b.Plans, ", ")
	}
	return ""
}

func planningWords(b environment.PublicPlanning) string {
	what := "an update, or a create,"
	if b.Destroy {
		what = "a destroy"
	}
	if b.Order != nil {
		what += partWords(*b.Order)
	}
	text := "it is being found out what " + what + " would change"
	switch {
	case b.Order != nil && b.Order.Of != "":
		text = "the plan of " + b.Order.Of + " is to be carried out"
	case b.Order != nil:
		text = what + " is planned first, since it may have to be approved"
	}
	return text + askedBy(b.RequestedBy, b.Order != nil && b.Order.Planned)
}

// partWords names the groups that a command is of alone.
func partWords(o environment.Order) string {
	switch {
	case o.Redeploy != nil:
		return " that applies " + strings.Join(o.Redeploy.Groups, ", ") + " again,"
	case o.Retry != nil && o.Retry.Groups != nil:
		return " that tries " + strings.Join(o.Retry.Groups, ", ") + " again,"
	case o.Destroy != nil && o.Destroy.Groups != nil:
		return " of " + strings.Join(o.Destroy.Groups, ", ")
	}
	return ""
}

func destroyingWords(b environment.StatusDestroying) string {
	text := groupsText(b.Groups) + "destroyed, step by step"
	if b.Force {
		text += ", by force"
	}
	if b.Resumes != nil {
		text += ", which does not wait for what is paused (" + strings.Join(b.Resumes, ", ") + ")"
	}
	return text + askedBy(b.RequestedBy, b.Planned) + carriesOut(b.Plan)
}

func wouldCounts(counts map[event.Change]int) map[string]int {
	would := map[string]int{}
	for change, n := range counts {
		name := "to " + string(change)
		switch change {
		case event.ChangeNone:
			name = "unchanged"
		case event.ChangeUnknown:
			name = "unknown"
		}
		would[name] = n
	}
	return would
}

func wouldWords(p event.Plan) string {
	switch p.Change {
	case event.ChangeNone:
		return "would stay as it is"
	case event.ChangeUnknown:
		return "unknown " + untilText(p.Until)
	}
	return "would " + string(p.Change) + " it"
}

// askedBy is who is behind it.
func askedBy(source string, planned bool) string {
	switch {
	case planned:
		return ", by itself: its time had come"
	case source != "":
		return ", asked for by " + source
	}
	return ""
}

func carriesOut(plan string) string {
	if plan == "" {
		return ""
	}
	return ", as planned by " + plan
}

func ending(at *time.Time) string {
	if at == nil {
		return ""
	}
	return "; destroyed by itself at " + moment(*at)
}

func reasonWords(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

func because(err *fault.Error) string {
	if err == nil {
		return "nobody said why"
	}
	return err.Message
}
