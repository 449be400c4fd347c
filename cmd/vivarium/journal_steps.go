package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// entryBody reads what the API shows of an entry: of some facts less than the journal has (environment.Public).
func entryBody(e store.Entry) (any, error) {
	switch e.Type {
	case environment.Created{}.Type():
		return bodyOf[environment.PublicCreated](e)
	case environment.Updated{}.Type():
		return bodyOf[environment.PublicUpdated](e)
	case environment.StatusPlanning{}.Type():
		return bodyOf[environment.PublicPlanning](e)
	}
	return environment.DecodeBody(e.Type, e.Data)
}

func bodyOf[B any](e store.Entry) (b B, err error) {
	err = json.Unmarshal(e.Data, &b)
	return b, err
}

func stepOf(e store.Entry) string {
	var about struct {
		Step string `json:"step"`
	}
	_ = json.Unmarshal(e.Data, &about) // what is not there is not shown
	return about.Step
}

// resourceWords are about how a resource was found, and what was done about it.
func resourceWords(body any) string {
	switch b := body.(type) {
	case environment.StatusChecking:
		return "looked at" + askedBy(b.RequestedBy, b.Planned)
	case environment.ResourceObserved:
		text := b.Step + foundWords(b.Presence, b.Drifted) + differenceWords(b.Differences, b.Omitted)
		if b.Unasked {
			text += " (seen without anybody asking)"
		}
		return text
	case environment.ResourceHealth:
		return strings.TrimSuffix(fmt.Sprintf("%s is %s: %s", b.Step, b.Status, b.Detail), ": ")
	case environment.Healing:
		return "healed by itself, as its drift policy says: applied again is " + strings.Join(b.Steps, ", ")
	case environment.HealGaveUp:
		return fmt.Sprintf("%s was healed %d times, and is left to people now", b.Step, b.Heals)
	}
	return ""
}

func foundWords(p event.Presence, drifted bool) string {
	switch {
	case p == event.Absent:
		return " is gone"
	case drifted:
		return " is not as it was left"
	case p == event.PresenceUnknown:
		return " can't be told to be there or not"
	}
	return " is as it was left"
}

// differs goes before what is there on one side only.
var differs = map[event.Change]string{event.ChangeCreate: "new ", event.ChangeDestroy: "no more "}

func differenceWords(all []event.Difference, omitted int) string {
	var texts []string
	for _, d := range all {
		texts = append(texts, differs[d.Change]+d.Path+differenceText(d))
	}
	if omitted > 0 {
		texts = append(texts, fmt.Sprintf("and %d more", omitted))
	}
	if len(texts) == 0 {
		return ""
	}
	return ", " + strings.Join(texts, ", ")
}

// doing are the verbs of an offer.
var doing = map[event.Verb]string{event.Apply: "to be applied", event.Destruct: "to be destroyed", event.Validate: "to be asked whether it answers",
	event.Propose: "to be planned", event.Observe: "to be looked at"}

// done are the verbs of what was offered and has ended well.
var done = map[event.Verb]string{event.Apply: "applied", event.Destruct: "destroyed, and found gone", event.Validate: "answers",
	event.Propose: "planned", event.Observe: "looked at"}

// stepWords are about one step of an operation.
func stepWords(body any) string {
	switch b := body.(type) {
	case environment.StepWaiting:
		return b.Step + ": " + doing[b.Verb] + attemptWords(b.Attempt)
	case environment.StepRunning:
		return b.Step + ": under way on " + b.Runner + attemptWords(b.Attempt)
	case environment.StepProgress:
		return strings.TrimSuffix(fmt.Sprintf("%s: %d of %d, %s", b.Step, b.Done, b.Total, b.Message), ", ")
	case environment.StepUnchanged:
		return b.Step + ": would be given what it was given last, so nothing is done"
	case environment.StepQueued:
		return queuedWords(b)
	case environment.StepError:
		return b.Step + ": failed" + attemptWords(b.Attempt) + ": " + because(b.Error)
	case environment.StepSkipped:
		if b.Because == "" {
			return b.Step + ": left out, since the operation was cancelled"
		}
		return b.Step + ": left out, since " + b.Because + " failed"
	case environment.StepRetained:
		return b.Step + ": forgotten, and left where it is"
	case environment.StateSaved:
		if b.Removed {
			return b.Step + ": the server has forgotten its state"
		}
		return fmt.Sprintf("%s: the server keeps its state, %d bytes", b.Step, b.Size)
	case environment.TaskRefused:
		return fmt.Sprintf("%s: what %s said of attempt %d was not taken, it is over", b.Step, b.Runner, b.Attempt)
	}
	return ""
}

func queuedWords(b environment.StepQueued) string {
	text := fmt.Sprintf("%s: attempt %d came to nothing (%s), there will be another", b.Step, b.Attempt, b.Cause)
	if b.Error != nil {
		text += ": " + b.Error.Message
	}
	return text
}

func attemptWords(attempt int) string {
	if attempt < 2 {
		return ""
	}
	return fmt.Sprintf(" (attempt %d)", attempt)
}

// takeoverWords are about another side that acts from now on.
func takeoverWords(body any) string {
	switch b := body.(type) {
	case environment.Promoted:
		return fmt.Sprintf("side %s has taken over, epoch %d", b.Side, b.Epoch)
	case environment.TakenOver:
		return fmt.Sprintf("another side acts from now on, epoch %d", b.Epoch)
	case environment.StepDoubted:
		return b.Step + ": under way when the other side was lost, so it is looked at first"
	case environment.StepUncertain:
		return b.Step + ": nobody but a person can tell whether it was done: " + b.Detail
	case environment.StepSettled:
		return fmt.Sprintf("%s: settled: %s%s", b.Step, b.Verdict, askedBy(b.RequestedBy, false))
	}
	return ""
}
