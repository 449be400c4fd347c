package environment

import (
	"encoding/json"
	"time"

	"github.com/vivarium-env/vivarium/pkg/event"
)

// StateUncertain: the step was in flight when its side was lost, and nobody but a person can tell whether it was done.
const StateUncertain StepState = "uncertain"

// Reasons of steps after another side has taken over.
const (
	BecauseUncertain ReasonCode = "uncertain"
	BecauseTakeover  ReasonCode = "takeover"
	// BecauseAuthority: its side does not hear its secondaries, and may not act. It is in no record, since who may not act writes none.
	BecauseAuthority ReasonCode = "authority"
)

// Doubt is about a step that was in flight when its side was lost: it may have been done, in part or not at all.
type Doubt struct {
	Operation string     `json:"operation"`
	Verb      event.Verb `json:"verb"`
	Attempt   int        `json:"attempt"`
	Runner    string     `json:"runner,omitempty"` // of the side that was lost; absent where nobody was known to have taken it
	Since     time.Time  `json:"since"`
	// Found is what a look has found, and Detail why that does not tell.
	Found  *event.Observation `json:"found,omitempty"`
	Detail string             `json:"detail,omitempty"`
}

// ClusterName is under whose name the journal keeps what is about the cluster. No environment can be called so.
const ClusterName = "_"

// Promoted: a side has taken over, and acts under the epoch from now on.
type Promoted struct {
	Epoch  uint64 `json:"epoch"`
	Side   string `json:"side"`
	Server string `json:"server"`
	// Forced: the other side was not asked.
	Forced bool `json:"forced,omitempty"`
}

// TakenOver: another side acts from now on, under a higher epoch. What is said under a lower one is refused.
type TakenOver struct {
	Operation string `json:"operation"`
	Epoch     uint64 `json:"epoch"`
}

// StepDoubted: the step was in flight when its side was lost. It is looked at before anything else is done about it.
type StepDoubted struct {
	Operation string     `json:"operation"`
	Step      string     `json:"step"`
	Verb      event.Verb `json:"verb"`
	Attempt   int        `json:"attempt"`
	Runner    string     `json:"runner,omitempty"`
}

// StepUncertain: it can't be told whether the step was done. It waits for environment.settle.
type StepUncertain struct {
	Operation string             `json:"operation"`
	Step      string             `json:"step"`
	Detail    string             `json:"detail"`
	Found     *event.Observation `json:"found,omitempty"`
}

// StepSettled: it is known what became of the step. Done: a StepComplete follows; again: it is run again.
type StepSettled struct {
	CommandID   string             `json:"command_id,omitempty"` // absent where a look has told
	RequestedBy string             `json:"requested_by,omitempty"`
	Operation   string             `json:"operation"`
	Step        string             `json:"step"`
	Verdict     event.Verdict      `json:"verdict" jsonschema:"enum=done,enum=again"`
	Found       *event.Observation `json:"found,omitempty"`
}

func (Promoted) Type() string      { return "cluster.promoted" }
func (TakenOver) Type() string     { return "operation.taken-over" }
func (StepDoubted) Type() string   { return "step.doubted" }
func (StepUncertain) Type() string { return "step.uncertain" }
func (StepSettled) Type() string   { return "step.settled" }

// SettleInput is environment.settle.
type SettleInput struct {
	CommandMeta
	event.Settle
}

func (SettleInput) input() {}

// Outputs of a step that a person says is done: those that were given, or else the last ones.
func (in SettleInput) outputs(n *Step) json.RawMessage {
	if len(in.Settle.Outputs) > 0 {
		return in.Settle.Outputs
	}
	return n.Outputs
}
