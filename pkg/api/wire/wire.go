package wire

import (
	"time"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// Prefix of every route of this version.
const Prefix = "/api/v1"

// List is one page of a list. Next, when there is more, is what the parameter "cursor" ("after" of journal and logs)
// takes to go on; the header Link has the whole address.
type List[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty"`
}

// Problem is an error in the form of RFC 9457.
type Problem struct {
	Type        string             `json:"type"` // a URN that ends in the code
	Title       string             `json:"title"`
	Status      int                `json:"status"`
	Detail      string             `json:"detail"`
	Instance    string             `json:"instance"` // path of the request
	Code        fault.Code         `json:"code"`
	RequestID   string             `json:"request_id,omitempty"`
	Diagnostics []fault.Diagnostic `json:"diagnostics,omitempty"`
	Checks      []CheckResult      `json:"checks,omitempty"` // of readiness
}

// Role of a server in its cluster.
type Role string

const (
	// Primary takes commands.
	Primary Role = "primary"
	// Secondary serves reads and takes no command.
	Secondary Role = "secondary"
)

// Info says who answers.
type Info struct {
	Name      string     `json:"name"`
	Version   string     `json:"version"`
	Commit    string     `json:"commit,omitempty"`
	GoVersion string     `json:"go_version"`
	ServerID  string     `json:"server_id"`
	Cluster   string     `json:"cluster"`
	Role      Role       `json:"role" jsonschema:"enum=primary,enum=secondary"`
	Epoch     uint64     `json:"epoch"`
	Bus       bus.Status `json:"bus"`
	Store     store.Info `json:"store"`
	Consul    Consul     `json:"consul"`
	StartedAt time.Time  `json:"started_at"`
	// Uptime in nanoseconds.
	Uptime time.Duration `json:"uptime"`
	// Partitions that this server owns now, of PartitionCount.
	Partitions     []int `json:"partitions"`
	PartitionCount int   `json:"partition_count"`
	// Replication is how a secondary follows its primary; absent in a primary.
	Replication *Replication `json:"replication,omitempty"`
	// Authority is whether a primary may act; absent where nobody is asked for that.
	Authority *Authority `json:"authority,omitempty"`
}

// Consul is where the instances of the cluster find each other.
type Consul struct {
	// Configured is false where everything is as on one machine: nobody finds the others but by their addresses.
	Configured bool   `json:"configured"`
	Address    string `json:"address,omitempty"`
	Datacentre string `json:"datacentre,omitempty"`
	// Registered: Consul has this server now. Error is why it has not.
	Registered bool   `json:"registered"`
	Error      string `json:"error,omitempty"`
}

// Ping is the answer to self/ping.
type Ping struct {
	Ping string    `json:"ping" jsonschema:"enum=pong"`
	Time time.Time `json:"time"`
}

// Health is the answer to self/liveliness and self/readiness.
type Health struct {
	// Status is "up", or "degraded" when a check fails, a breaker is open or a pool has no runner.
	Status string `json:"status" jsonschema:"enum=up,enum=degraded"`
	// Checks are listed when the detailed answer was asked for, as are the following.
	Checks []CheckResult `json:"checks,omitempty"`
	// Breakers are the open circuit breakers of runners: what they do not reach now.
	Breakers []RunnerBreaker `json:"breakers,omitempty"`
	// PoolsWithoutRunners are those whose steps nobody would take now.
	PoolsWithoutRunners []string `json:"pools_without_runners,omitempty"`
}

// RunnerBreaker is an open circuit breaker and the runner whose it is.
type RunnerBreaker struct {
	RunnerName string `json:"runner_name"`
	event.Breaker
}

// Runner is a runner that was heard lately.
type Runner struct {
	Name string `json:"name"`
	// Runner is the name with what is new at each start.
	Runner    string   `json:"runner"`
	Pools     []string `json:"pools"`
	Executors []string `json:"executors"`
	// Probes are the status endpoints that it can ask.
	Probes []string `json:"probes"`
	Labels []string `json:"labels"`
	// Concurrency is how many tasks it works on at once at most, Running how many it has now.
	Concurrency int `json:"concurrency"`
	Running     int `json:"running"`
	// Leaving: it takes no more tasks.
	Leaving bool `json:"leaving"`
	// Breakers that are open.
	Breakers  []event.Breaker `json:"breakers"`
	Version   string          `json:"version,omitempty"`
	LastHeard time.Time       `json:"last_heard"`
}

// MeasuredUsage is what a resource uses, and how long ago that was measured, in nanoseconds.
type MeasuredUsage struct {
	event.Usage
	Age time.Duration `json:"age"`
}

// EnvironmentDetail is an environment with what holds it up now.
type EnvironmentDetail struct {
	environment.Record
	// Waiting sums up why steps do not run, the reason that most of them share first.
	Waiting []Waiting `json:"waiting"`
}

// Waiting is a reason why steps do not run, and of how many.
type Waiting struct {
	Code   environment.ReasonCode `json:"code"`
	Detail string                 `json:"detail,omitempty"`
	// Until is when it ends by itself for the first of the steps, if it does.
	Until *time.Time `json:"until,omitempty"`
	Steps int        `json:"steps"`
}

// CheckResult is the outcome of one check.
type CheckResult struct {
	Name     string `json:"name"`
	Required bool   `json:"required"`
	Status   string `json:"status" jsonschema:"enum=up,enum=down"`
	Error    string `json:"error,omitempty"`
	// Took is how long the check took, in nanoseconds.
	Took time.Duration `json:"took"`
}

// Started is the answer to self/started once the server has started.
type Started struct {
	Started bool `json:"started"`
}

// Graph is what an environment is made of, and how far it is.
type Graph struct {
	Environment string              `json:"environment"`
	Status      environment.Status  `json:"status"`
	Groups      []environment.Group `json:"groups"`
	Nodes       []GraphNode         `json:"nodes"`
	Edges       []GraphEdge         `json:"edges"`
	// Around are what nodes use of other environments, and what others use of this one.
	Around []store.Edge `json:"around,omitempty"`
}

// GraphNode is a resource or an action.
type GraphNode struct {
	Address  string                `json:"address"`
	Type     environment.NodeType  `json:"type" jsonschema:"enum=resource,enum=action,enum=status"`
	Template string                `json:"template"`
	Executor string                `json:"executor"`
	Name     string                `json:"name"`
	Key      string                `json:"key,omitempty"`
	Group    string                `json:"group,omitempty"`
	Status   environment.Status    `json:"status"`
	State    environment.StepState `json:"state,omitempty"`
	Verb     event.Verb            `json:"verb,omitempty"`
	Error    *fault.Error          `json:"error,omitempty"`
	// Health is that of its status endpoint since it was validated.
	Health event.HealthStatus `json:"health,omitempty"`
}

// GraphEdge says that From depends on To.
type GraphEdge struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// StreamEnd is the data of the last event of a log stream that was asked to end.
type StreamEnd struct {
	Operation string                      `json:"operation"`
	Status    environment.OperationStatus `json:"status"`
}

// StepEnd is the data of the last event of a step's log stream that was asked to end.
type StepEnd struct {
	Operation string `json:"operation,omitempty"`
	Step      string `json:"step"`
	Attempt   int    `json:"attempt,omitempty"`
	// State is empty when the step takes no part in the present operation, or is in a later operation or attempt already.
	State environment.StepState `json:"state,omitempty"`
}

// Missed is the data of the event "missed" of a log stream: lines that the reader does not get, since they were pruned
// before it read them, or never came. They belong to one attempt and are numbered from First.
type Missed struct {
	Lines     int    `json:"lines"`
	Operation string `json:"operation"`
	Step      string `json:"step"`
	Attempt   int    `json:"attempt"`
	First     int    `json:"first"`
}
