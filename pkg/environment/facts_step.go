package environment

import (
	"encoding/json"
	"time"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// StepWaiting: a step was offered to the runners of its pool.
type StepWaiting struct {
	Operation    string          `json:"operation"`
	Step         string          `json:"step"`
	Verb         event.Verb      `json:"verb"`
	Attempt      int             `json:"attempt"`
	AcceptBefore time.Time       `json:"accept_before"`
	Inputs       json.RawMessage `json:"inputs,omitempty"`
	// Fingerprint is that of Inputs (see Inputs in this package).
	Fingerprint string          `json:"fingerprint,omitempty"`
	Endpoint    *event.Endpoint `json:"endpoint,omitempty"`
	// Consumed are the outputs of other environments that are in it, and what they come from.
	Consumed []Consumption `json:"consumed,omitempty"`
	// Plan is the saved plan that is carried out.
	Plan *SavedPlan `json:"plan,omitempty"`
}

// StepRunning: a runner works on the step.
type StepRunning struct {
	Operation string    `json:"operation"`
	Step      string    `json:"step"`
	Attempt   int       `json:"attempt"`
	Runner    string    `json:"runner"`
	StartedAt time.Time `json:"started_at"`
}

// StepComplete: the step has done what it should.
type StepComplete struct {
	Operation  string          `json:"operation"`
	Step       string          `json:"step"`
	Attempt    int             `json:"attempt"`
	Runner     string          `json:"runner,omitempty"`
	StartedAt  time.Time       `json:"started_at"`
	FinishedAt time.Time       `json:"finished_at"`
	Outputs    json.RawMessage `json:"outputs,omitempty"`
	// Consumed is as that of StepWaiting, of a step that no runner was needed for.
	Consumed []Consumption `json:"consumed,omitempty"`
}

// StepUnchanged: now that all it depends on is known, what the step would be given is what it was given last; nothing ran.
type StepUnchanged struct {
	Operation string `json:"operation"`
	Step      string `json:"step"`
	// Consumed is as that of StepWaiting: the same value may come from another resource.
	Consumed []Consumption `json:"consumed,omitempty"`
}

// StepQueued: the attempt came to nothing, and there will be another one.
type StepQueued struct {
	Operation string       `json:"operation"`
	Step      string       `json:"step"`
	Attempt   int          `json:"attempt"`
	Cause     QueueCause   `json:"cause" jsonschema:"enum=failed,enum=lapsed,enum=refused,enum=lost,enum=unavailable"`
	NotBefore *time.Time   `json:"not_before,omitempty"`
	Error     *fault.Error `json:"error,omitempty"`
}

// QueueCause says what became of the attempt before.
type QueueCause string

const (
	CauseFailed  QueueCause = "failed"  // the executor reported an error that may pass
	CauseLapsed  QueueCause = "lapsed"  // nobody accepted the offer in time
	CauseRefused QueueCause = "refused" // the runner that got it did not start it
	CauseLost    QueueCause = "lost"    // the runner that accepted it is not heard any more
	// CauseUnavailable: what the executor talks to is away, and its circuit breaker open. This counts as no failure.
	CauseUnavailable QueueCause = "unavailable"
)

func (c QueueCause) reason() ReasonCode {
	switch c {
	case CauseUnavailable:
		return BecauseBreaker
	case CauseLost, CauseRefused:
		return BecauseLost
	case CauseLapsed:
		return BecauseNoRunner
	}
	return BecauseBackoff
}

// StepError: the step has failed for good.
type StepError struct {
	Operation string       `json:"operation"`
	Step      string       `json:"step"`
	Attempt   int          `json:"attempt"`
	Runner    string       `json:"runner,omitempty"`
	Error     *fault.Error `json:"error"`
}

// StepProgress: a running step tells how far it is.
type StepProgress struct {
	Operation string `json:"operation"`
	Step      string `json:"step"`
	Attempt   int    `json:"attempt"`
	event.Progress
}

// StateSaved: the server keeps what the executor of a step has to know the next time, or no longer does. What it is lies
// in the store, under the hash.
type StateSaved struct {
	Operation string `json:"operation"`
	Step      string `json:"step"`
	// Identity is under which name the store has it, "" for Step.
	Identity string `json:"identity,omitempty"`
	Attempt  int    `json:"attempt"`
	Runner   string `json:"runner"`
	Number   int    `json:"number"` // within the attempt, from 1
	StateRef
	Removed bool `json:"removed,omitempty"`
}

// StateRef names a state without showing it.
type StateRef struct {
	Hash string `json:"hash,omitempty"` // SHA-256 of event.State.Data, in hexadecimal
	Size int    `json:"size,omitempty"` // of event.State.Data, in bytes
}

// TaskRefused: what a runner said was not taken, since it is about an older attempt, operation or epoch, or is said by
// another runner than the one that has the step. A state that was refused is named; it lies in the dead letters.
type TaskRefused struct {
	Operation string `json:"operation"`
	Step      string `json:"step"`
	Attempt   int    `json:"attempt"`
	Runner    string `json:"runner"`
	Epoch     uint64 `json:"epoch"`
	// State is what a refused event.State had, absent for a result.
	State *StateRef `json:"state,omitempty"`
}

// StepSkipped: the step does not run in this operation.
type StepSkipped struct {
	Operation string `json:"operation"`
	Step      string `json:"step"`
	// Because is the step that failed, empty when the operation was cancelled.
	Because string `json:"because,omitempty"`
}

func (StepWaiting) Type() string   { return "step.waiting" }
func (StepRunning) Type() string   { return "step.running" }
func (StepComplete) Type() string  { return "step.complete" }
func (StepUnchanged) Type() string { return "step.unchanged" }
func (StepQueued) Type() string    { return "step.queued" }
func (StepError) Type() string     { return "step.error" }
func (StepProgress) Type() string  { return "step.progress" }
func (StateSaved) Type() string    { return "step.state" }
func (TaskRefused) Type() string   { return "result.refused" }
func (StepSkipped) Type() string   { return "step.skipped" }
