package environment

import (
	"time"

	"github.com/vivarium-env/vivarium/pkg/event"
)

// Order is the command behind a plan that is carried out once it is approved, without templates and parameters, which are the
// plan's.
type Order struct {
	Update  *event.Update  `json:"update,omitempty"`
	Destroy *event.Destroy `json:"destroy,omitempty"`
	// Redeploy is one of groups alone.
	Redeploy *event.Redeploy `json:"redeploy,omitempty"`
	// Retry is one of groups alone, or goes on with a destroy of groups that has failed.
	Retry *event.Retry `json:"retry,omitempty"`
	// Planned: nobody sent a command; its time had come.
	Planned bool `json:"planned,omitempty"`
	// Rules: it would change what has to be approved, so everybody whom the rules name now has to approve it.
	Rules bool `json:"rules,omitempty"`
	// Of is an earlier plan that is to be carried out; "": the one that this operation makes.
	Of string `json:"of,omitempty"`
}

// AwaitingApproval: the plan is made, and is carried out when it was approved. Without Needs nobody has to, and that is now.
type AwaitingApproval struct {
	Operation string               `json:"operation"`
	Kind      string               `json:"kind" jsonschema:"enum=update,enum=destroy"`
	Counts    map[event.Change]int `json:"counts"`
	Needs     []Need               `json:"needs,omitempty"`
	Until     time.Time            `json:"until"`
}

// StepHeld: the step would do what the plan that is carried out did not show. It waits for approval, or it fails.
type StepHeld struct {
	Operation string    `json:"operation"`
	Step      string    `json:"step"`
	Why       string    `json:"why"`
	Needs     []Need    `json:"needs"`
	Until     time.Time `json:"until"`
}

// Approved: somebody has approved the operation's plan, or steps that were held. It goes on when nobody else has to.
type Approved struct {
	CommandID   string   `json:"command_id"`
	RequestedBy string   `json:"requested_by,omitempty"`
	Operation   string   `json:"operation"`
	Steps       []string `json:"steps,omitempty"` // absent: the plan
	Comment     string   `json:"comment,omitempty"`
}

// Refused: somebody has rejected the operation's plan, or steps that were held.
type Refused struct {
	CommandID   string   `json:"command_id"`
	RequestedBy string   `json:"requested_by,omitempty"`
	Operation   string   `json:"operation"`
	Steps       []string `json:"steps,omitempty"`
	Comment     string   `json:"comment,omitempty"`
}

// ApprovalExpired: nobody has approved the operation's plan, or steps that were held, in time.
type ApprovalExpired struct {
	Operation string    `json:"operation"`
	Steps     []string  `json:"steps,omitempty"`
	Until     time.Time `json:"until"`
}

// Type is the fact's name.
func (AwaitingApproval) Type() string { return "operation.awaiting-approval" }

// Type is the fact's name.
func (StepHeld) Type() string { return "step.held" }

// Type is the fact's name.
func (Approved) Type() string { return "operation.approved" }

// Type is the fact's name.
func (Refused) Type() string { return "operation.rejected" }

// Type is the fact's name.
func (ApprovalExpired) Type() string { return "operation.approval-expired" }
