package event

import (
	"encoding/json"
	"time"
)

// EnvironmentAdopt takes existing infrastructure into an environment.
const EnvironmentAdopt = "environment.adopt"

// Adopt is the data of environment.adopt: an update, or a create where there is no such environment, in which some resources are
// not made but taken over as they are. Nothing is written to their targets but the mark that says whose they are, and that
// only where an apply would change nothing else.
type Adopt struct {
	// Resources that are taken over, by address, and what their executor finds each by: for terraform an object of ids by the
	// addresses within the module, for container on Docker the name or the id of a container, and true where the block says it all,
	// as for consul_kv and vault_secret. null gives up an adoption that has not succeeded: the resource is made instead.
	Resources map[string]json.RawMessage `json:"resources" jsonschema:"minProperties=1"`
	// Force has what differs be changed after it was taken over, instead of refusing it.
	Force bool `json:"force,omitempty"`
	// Templates are as in environment.update, or environment.create where there is no such environment yet.
	Templates []string `json:"templates,omitempty" jsonschema:"minItems=1"`
	// Parameters by name, beside those that were given before; null takes one back to its default.
	Parameters  map[string]json.RawMessage `json:"parameters,omitempty"`
	Description *string                    `json:"description,omitempty" jsonschema:"maxLength=4096"`
	Tags        []string                   `json:"tags,omitempty" jsonschema:"maxItems=64"`
	// DestroyAt is when the environment is to be destroyed by itself.
	DestroyAt *time.Time `json:"destroy_at,omitempty"`
	// FailFast cancels what still runs at the first failure, instead of letting it finish.
	FailFast bool `json:"fail_fast,omitempty"`
	// Parallelism bounds how many steps run at once; 0 takes the server's limit, which also bounds it.
	Parallelism int `json:"parallelism,omitempty" jsonschema:"minimum=0"`
}

// Adoption is what an executor is to take over instead of making it.
type Adoption struct {
	// ID is what it is found by, in the words of its executor.
	ID json.RawMessage `json:"id"`
	// Force has what differs be changed.
	Force bool `json:"force,omitempty"`
}
