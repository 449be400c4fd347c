package event

import (
	"encoding/json"
	"time"
)

// Commands about the revisions of an environment: what its templates and given parameters were after each create and update.
const (
	EnvironmentRollback = "environment.rollback"
	EnvironmentClone    = "environment.clone"
	EnvironmentPromote  = "environment.promote"
)

// Rollback is the data of environment.rollback: an update to the templates, as they were then, and the given parameters of
// an earlier revision. No catalogue is asked.
type Rollback struct {
	// Revision is the number of one of the environment's own, from 1.
	Revision int `json:"revision" jsonschema:"minimum=1"`
	// FailFast cancels what still runs at the first failure, instead of letting it finish.
	FailFast bool `json:"fail_fast,omitempty"`
	// Parallelism bounds how many steps run at once; 0 takes the server's limit, which also bounds it.
	Parallelism int `json:"parallelism,omitempty" jsonschema:"minimum=0"`
}

// Clone is the data of environment.clone, whose subject is the new environment: it gets the templates of another one, as they
// are there, and the parameters that were given to that. Sealed ones go along sealed.
type Clone struct {
	// From names the other environment.
	From string `json:"from" jsonschema:"minLength=1"`
	// Revision of the other one; 0 is its last.
	Revision int `json:"revision,omitempty" jsonschema:"minimum=0"`
	// Parameters by name, over those of the other one; null takes one back to its default.
	Parameters  map[string]json.RawMessage `json:"parameters,omitempty"`
	Description string                     `json:"description,omitempty" jsonschema:"maxLength=4096"`
	Tags        []string                   `json:"tags,omitempty" jsonschema:"maxItems=64"`
	// DestroyAt is when the environment is to be destroyed by itself.
	DestroyAt *time.Time `json:"destroy_at,omitempty"`
	// FailFast cancels what still runs at the first failure, instead of letting it finish.
	FailFast bool `json:"fail_fast,omitempty"`
	// Parallelism bounds how many steps run at once; 0 takes the server's limit, which also bounds it.
	Parallelism int `json:"parallelism,omitempty" jsonschema:"minimum=0"`
}

// Promote is the data of environment.promote, whose subject is the environment that is brought to the templates, as they are
// there, and the given parameters of another one.
type Promote struct {
	// From names the other environment.
	From string `json:"from" jsonschema:"minLength=1"`
	// Revision of the other one; 0 is its last, which has to be deployed.
	Revision int `json:"revision,omitempty" jsonschema:"minimum=0"`
	// Keep names the parameters that are the environment's own: they stay what they are, given or not. Left out, they are those
	// of its last promotion.
	Keep []string `json:"keep,omitzero"`
	// Parameters by name, over those of the other one; null takes one back to its default.
	Parameters map[string]json.RawMessage `json:"parameters,omitempty"`
	// FailFast cancels what still runs at the first failure, instead of letting it finish.
	FailFast bool `json:"fail_fast,omitempty"`
	// Parallelism bounds how many steps run at once; 0 takes the server's limit, which also bounds it.
	Parallelism int `json:"parallelism,omitempty" jsonschema:"minimum=0"`
}
