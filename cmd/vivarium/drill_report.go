package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/vivarium-env/vivarium/pkg/cluster/replication"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// drillReport is what a takeover would do.
type drillReport struct {
	Time    time.Time `json:"time"` // of the copy
	Cluster string    `json:"cluster"`
	Epoch   uint64    `json:"epoch"` // that it would act under
	// Following is how the secondary stands; nil where its server was not asked.
	Following    *replication.Status `json:"following,omitempty"`
	Partitions   []drillPartition    `json:"partitions"`   // those that have entries
	Environments []drillEnvironment  `json:"environments"` // in which an operation is in flight
	// Untold counts the steps of which a takeover could not tell, or the drill could not.
	Untold int `json:"untold"`
}

type drillPartition struct {
	Partition int    `json:"partition"`
	Seq       uint64 `json:"seq"`
	Chain     string `json:"chain,omitempty"`
}

type drillEnvironment struct {
	Name      string                    `json:"name"`
	Status    environment.Status        `json:"status"`
	Operation string                    `json:"operation"`
	Kind      environment.OperationKind `json:"kind"`
	// Coming counts the steps that are still to run.
	Coming int         `json:"coming"`
	Steps  []drillStep `json:"steps"` // in flight
}

// What is known of a step after a look.
const (
	drillDone      = "done"
	drillAgain     = "again"
	drillUncertain = "uncertain" // a person has to say it
	drillUntold    = "untold"    // the drill could not look
)

type drillStep struct {
	Step    string             `json:"step"`
	Verb    event.Verb         `json:"verb"`
	Attempt int                `json:"attempt"`
	Runner  string             `json:"runner,omitempty"`
	Outcome string             `json:"outcome"`
	Found   *event.Observation `json:"found,omitempty"`
	Detail  string             `json:"detail,omitempty"`
	Follows string             `json:"follows"`
}

// look reads what has happened since the takeover. Pending: something is still to be told.
func (d *drill) look(ctx context.Context, s store.Store) (pending bool, err error) {
	found := map[string]*drillEnvironment{}
	d.report.Environments, d.report.Untold = []drillEnvironment{}, 0
	for _, b := range d.busy {
		e := &drillEnvironment{Name: b.Name, Status: b.Status, Operation: b.Operation.ID, Kind: b.Operation.Kind, Steps: []drillStep{}}
		for _, n := range b.Nodes {
			if n.State == environment.StateBlocked || n.State == environment.StateQueued {
				e.Coming++
			}
		}
		found[b.Name] = e
	}
	taken := 0
	for _, head := range d.heads {
		entries, err := s.Entries(ctx, store.Selection{Partition: head.Partition, After: head.Seq, Limit: 100_000})
		if err != nil {
			return false, err
		}
		for _, e := range entries {
			if e.Type == (environment.TakenOver{}).Type() {
				taken++
			}
			if err := found[e.Environment].take(e); err != nil {
				return false, err
			}
		}
	}
	for _, b := range d.busy {
		e := found[b.Name]
		for i := range e.Steps {
			if e.Steps[i].Outcome == drillUntold {
				reason, waits := d.reason(ctx, s, b.Name, e.Steps[i].Step)
				e.Steps[i].Detail = cmp.Or(e.Steps[i].Detail, reason)
				pending = pending || waits
			}
			e.Steps[i].Follows = e.Steps[i].follows()
			if o := e.Steps[i].Outcome; o == drillUncertain || o == drillUntold {
				d.report.Untold++
			}
		}
		d.report.Environments = append(d.report.Environments, *e)
	}
	slices.SortFunc(d.report.Environments, func(a, b drillEnvironment) int { return strings.Compare(a.Name, b.Name) })
	return pending || taken < len(d.busy), nil
}

// take follows one fact of the takeover.
func (e *drillEnvironment) take(entry store.Entry) error {
	if e == nil {
		return nil
	}
	body, err := environment.DecodeBody(entry.Type, entry.Data)
	if err != nil {
		return err
	}
	switch b := body.(type) {
	case environment.StepDoubted:
		e.Steps = append(e.Steps, drillStep{Step: b.Step, Verb: b.Verb, Attempt: b.Attempt, Runner: b.Runner, Outcome: drillUntold})
	case environment.StepSettled:
		e.tell(b.Step, string(b.Verdict), "", b.Found)
	case environment.StepUncertain:
		e.tell(b.Step, drillUncertain, b.Detail, b.Found)
	case environment.StepError:
		if b.Error != nil {
			e.tell(b.Step, "", b.Error.Message, nil)
		}
	}
	return nil
}

func (e *drillEnvironment) tell(step, outcome, detail string, found *event.Observation) {
	for i := range e.Steps {
		if s := &e.Steps[i]; s.Step == step && s.Outcome == drillUntold {
			s.Outcome, s.Detail, s.Found = cmp.Or(outcome, s.Outcome), detail, found
		}
	}
}

// reason is why a step was not looked at, and whether it may still be.
func (d *drill) reason(ctx context.Context, s store.Store, name, step string) (reason string, waits bool) {
	resources, _, err := s.Resources(ctx, name, store.Page{Limit: -1})
	if err != nil {
		return err.Error(), false
	}
	for _, r := range resources {
		if r.Address != step || r.Step.Doubt == nil {
			continue
		}
		switch r.Step.State {
		case environment.StateError, environment.StateSkipped, environment.StateComplete:
			return "it would be looked at when the operation is retried", false
		}
		if r.Step.Reason == nil {
			return "it was not looked at in time", true
		}
		// A runner says within seconds that it is there; nobody else comes in a drill.
		lacking := r.Step.Reason.Code == environment.BecauseNoRunner && time.Since(d.report.Time) > 15*time.Second
		paused := r.Step.Reason.Code == environment.BecausePaused
		return r.Step.Reason.Detail, !lacking && !paused
	}
	return "it was not looked at", true
}

func (s drillStep) follows() string {
	again := "it is run again"
	if s.Verb == event.Destruct {
		again = "it is destroyed again"
	}
	switch s.Outcome {
	case drillDone:
		return "it counts as done"
	case drillAgain:
		return again
	case drillUncertain:
		return "it waits for a person: vivarium env settle"
	}
	return "it is looked at first"
}

// saw tells what a look has found.
func (s drillStep) saw() string {
	switch {
	case s.Found == nil:
		return ""
	case s.Found.Drifted:
		return fmt.Sprintf("%s, and other than it was left", s.Found.Presence)
	}
	return string(s.Found.Presence)
}
