package event

// EnvironmentRedeploy is the command that applies groups again although nothing about them has changed.
const EnvironmentRedeploy = "environment.redeploy"

// Redeploy is the data of environment.redeploy. What depends on these groups is applied where it would be given something else by that.
type Redeploy struct {
	Groups []string `json:"groups" jsonschema:"minItems=1"`
	// FailFast cancels what still runs at the first failure.
	FailFast bool `json:"fail_fast,omitempty"`
	// Parallelism bounds how many steps run at once; 0 takes the server's limit, which also bounds it.
	Parallelism int `json:"parallelism,omitempty" jsonschema:"minimum=0"`
}
