package event

import "time"

// ApplyPlan is the data of environment.apply: what a plan has shown is carried out, and nothing else.
type ApplyPlan struct {
	// Plan is the id of the operation that made it.
	Plan string `json:"plan" jsonschema:"minLength=1"`
	// Description, Tags and DestroyAt are as in environment.create and environment.update; a plan says nothing of them. They
	// are of no use with the plan of a destroy.
	Description *string  `json:"description,omitempty" jsonschema:"maxLength=4096"`
	Tags        []string `json:"tags,omitempty" jsonschema:"maxItems=64"`
	// DestroyAt is when the environment is to be destroyed by itself.
	DestroyAt *time.Time `json:"destroy_at,omitempty"`
	// FailFast cancels what still runs at the first failure, instead of letting it finish.
	FailFast bool `json:"fail_fast,omitempty"`
	// Parallelism bounds how many steps run at once; 0 takes the server's limit, which also bounds it.
	Parallelism int `json:"parallelism,omitempty" jsonschema:"minimum=0"`
}
