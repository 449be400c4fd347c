package environment

import (
	"encoding/json"
	"time"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// StatusPlanning: what would change is being found out, and nothing changes. Steps are those that may change; of the others
// it is known already that they don't.
type StatusPlanning struct {
	CommandID   string     `json:"command_id"`
	RequestedBy string     `json:"requested_by,omitempty"`
	Operation   string     `json:"operation"`
	Destroy     bool       `json:"destroy,omitempty"`
	Templates   []Template `json:"templates,omitempty"`
	Steps       []Proposed `json:"steps,omitempty"`
	// Parameters, Given and Heal are what carrying the plan out goes by; absent in plans that were made before that was possible.
	Parameters  map[string]json.RawMessage `json:"parameters,omitempty"`
	Given       []string                   `json:"given,omitzero"`
	Heal        bool                       `json:"heal,omitempty"`
	Redeploys   []string                   `json:"redeploys,omitempty"` // groups that would be applied again alone
	Part        []string                   `json:"part,omitzero"`       // what a destroy or a retry of groups would take; not published
	Moved       []Moved                    `json:"moved,omitempty"`
	Unchanged   int                        `json:"unchanged"`
	Parallelism int                        `json:"parallelism"`
	Epoch       uint64                     `json:"epoch"`
	// Origin is that of a rollback, a promotion or a clone that is thought of.
	Origin  *Origin           `json:"origin,omitempty"`
	Changed []ParameterChange `json:"changed,omitzero"`
	Kept    []string          `json:"kept,omitempty"` // of a promotion
	// Against are the uses of outputs by other environments that it would take away.
	Against []Consumer `json:"against,omitempty"`
	// Order is the command that is carried out when the plan is made, once it is approved; absent where a plan was all that was asked for.
	Order *Order `json:"order,omitempty"`
}

// Proposed is a node whose executor is asked what a verb would change.
type Proposed struct {
	Node
	Proposes event.Verb      `json:"proposes"`
	Inputs   json.RawMessage `json:"inputs,omitempty"`
	// Fingerprint is that of Inputs; "" where some are not known.
	Fingerprint string `json:"fingerprint,omitempty"`
	// Unknown are the parts of Inputs that are not known yet (event.Task.Unknown).
	Unknown map[string][]string `json:"unknown,omitempty"`
	// Adopt: it would be taken over.
	Adopt *event.Adoption `json:"adopt,omitempty"`
}

// StepPlanned: an executor has said what would change.
type StepPlanned struct {
	Operation string     `json:"operation"`
	Step      string     `json:"step"`
	Plan      event.Plan `json:"plan"`
	// Error is why that is not to be done.
	Error *fault.Error `json:"error,omitempty"`
	// Saved names what the executor needs to do exactly this; absent where it goes by the inputs alone. It lies in the store.
	Saved *StateRef `json:"saved,omitempty"`
	// Unkept: there was such a thing, and it was too large to be kept, so the plan can't be carried out. In bytes.
	Unkept int `json:"unkept,omitempty"`
}

// StatusPlanned: what would change is known, as far as it can be. The environment is what it was.
type StatusPlanned struct {
	Operation string               `json:"operation"`
	Counts    map[event.Change]int `json:"counts"`
	// Until is how long the plan can be carried out, if nothing else changes the environment before; absent: it can't.
	Until *time.Time `json:"until,omitempty"`
}

func (StatusPlanning) Type() string { return "environment.planning" }
func (StepPlanned) Type() string    { return "step.planned" }
func (StatusPlanned) Type() string  { return "environment.planned" }
