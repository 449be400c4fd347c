package environment

import (
	"time"

	"github.com/vivarium-env/vivarium/pkg/event"
)

// RedeployInput is environment.redeploy.
type RedeployInput struct {
	CommandMeta
	event.Redeploy
	executes *KeptPlan // the plan that is carried out; nil for the command itself
}

func (RedeployInput) input() {}

// Redeploying: groups are applied again although nothing about them has changed. Steps are all of them, and what depends on
// them; that runs only where it would be given something else.
type Redeploying struct {
	CommandID   string   `json:"command_id"`
	RequestedBy string   `json:"requested_by,omitempty"`
	Operation   string   `json:"operation"`
	Groups      []string `json:"groups"`
	Steps       []string `json:"steps,omitempty"`
	Plan        string   `json:"plan,omitempty"` // as in Created
	FailFast    bool     `json:"fail_fast,omitempty"`
	Parallelism int      `json:"parallelism"`
	Epoch       uint64   `json:"epoch"`
}

// GroupPaused: nothing of these groups is begun any more, in no operation; what runs goes on.
type GroupPaused struct {
	CommandID   string   `json:"command_id"`
	RequestedBy string   `json:"requested_by,omitempty"`
	Groups      []string `json:"groups"`
	Reason      string   `json:"reason,omitempty"`
}

// GroupResumed: these groups are paused no more.
type GroupResumed struct {
	CommandID   string   `json:"command_id"`
	RequestedBy string   `json:"requested_by,omitempty"`
	Groups      []string `json:"groups"`
}

// Type is the fact's name.
func (Redeploying) Type() string { return "environment.redeploying" }

// Type is the fact's name.
func (GroupPaused) Type() string { return "group.paused" }

// Type is the fact's name.
func (GroupResumed) Type() string { return "group.resumed" }

// Pause is who keeps something from being begun, and why.
type Pause struct {
	Group  string `json:"group,omitempty"` // "": an operation
	Reason string `json:"reason,omitempty"`
	// By is the CloudEvents source of the command.
	By string    `json:"by,omitempty"`
	At time.Time `json:"at"`
}
