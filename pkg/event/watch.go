package event

import (
	"encoding/json"
	"time"
)

// Names of the messages by which what is deployed is watched.
const (
	WatchesLeased  = "watches.leased"
	HealthReported = "health.reported"
	UsageWanted    = "usage.wanted"
	UsageReported  = "usage.reported"
)

// HealthStatus is how a status endpoint stands.
type HealthStatus string

const (
	Healthy   HealthStatus = "healthy"
	Unhealthy HealthStatus = "unhealthy"
	// HealthUnknown: nobody can ask it now.
	HealthUnknown HealthStatus = "unknown"
)

// HealthStatuses are all of them.
func HealthStatuses() []HealthStatus {
	return []HealthStatus{Healthy, Unhealthy, HealthUnknown}
}

// Watches is what the owner of a partition says to a runner, on its own topic of the control exchange, every few seconds:
// all that the runner has to watch of that partition. What is not in it is watched no more, and what is, only until the
// lease has run out.
type Watches struct {
	Partition int    `json:"partition"`
	Epoch     uint64 `json:"epoch"`
	// Runner is whom it is for: a name with what is new at each start.
	Runner string `json:"runner"`
	// Lease is how long it holds, in nanoseconds.
	Lease   time.Duration `json:"lease"`
	Watches []Watch       `json:"watches"`
}

// Watch is one thing that is watched. What a runner needs besides the names is left out of most renewals.
type Watch struct {
	Environment string `json:"environment"`
	// Operation that the endpoint was validated in, or the resource applied.
	Operation string `json:"operation"`
	Step      string `json:"step"`
	// Known is what the server knows of the endpoint's health: a runner that sees it otherwise says so again.
	Known HealthStatus `json:"known,omitempty" jsonschema:"enum=healthy,enum=unhealthy,enum=unknown"`
	// Endpoint whose health is watched.
	Endpoint *Endpoint `json:"endpoint,omitempty"`
	// Measure: what the resource uses is to be told, by its Executor with the Inputs and Outputs of the last apply, secrets sealed.
	Measure bool `json:"measure,omitempty"`
	// Follow: what the resource prints after Since is to be sent to the step's log, with the same.
	Follow   bool            `json:"follow,omitempty"`
	Since    time.Time       `json:"since,omitzero"`
	Executor string          `json:"executor,omitempty"`
	Inputs   json.RawMessage `json:"inputs,omitempty"`
	Outputs  json.RawMessage `json:"outputs,omitempty"`
}

// ResourceHealth is what a runner says of an endpoint that it watches, to the owner of the partition.
type ResourceHealth struct {
	Environment string       `json:"environment"`
	Operation   string       `json:"operation"`
	Step        string       `json:"step"`
	Epoch       uint64       `json:"epoch"`
	Status      HealthStatus `json:"status" jsonschema:"enum=healthy,enum=unhealthy,enum=unknown"`
	Detail      string       `json:"detail,omitempty"`
	Runner      string       `json:"runner"`
	// Sequence grows with every report of a runner.
	Sequence uint64 `json:"sequence"`
}

// WantedUsage asks the owner of an environment's partition, through all servers, to have a resource measured.
type WantedUsage struct {
	Environment string `json:"environment"`
	Step        string `json:"step"`
}

// ResourceUsage is what a runner tells all servers of a resource that is measured.
type ResourceUsage struct {
	Environment string `json:"environment"`
	Step        string `json:"step"`
	Runner      string `json:"runner"`
	Usage       Usage  `json:"usage"`
	// Error is why it could not be measured.
	Error string `json:"error,omitempty"`
}
