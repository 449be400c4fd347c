package event

import (
	"encoding/json"
	"time"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Names of the messages between server and runner.
const (
	TaskOffered     = "task.offered"
	TaskAccepted    = "task.accepted"
	TaskRefused     = "task.refused"
	TaskFinished    = "task.finished"
	TaskState       = "task.state"
	TaskLogs        = "task.logs"
	TaskCancel      = "task.cancel"
	RunnerHeartbeat = "runner.heartbeat"
	RunnerHello     = "runner.hello"
	RunnerWelcome   = "runner.welcome"
	RunnerAlive     = "runner.alive"
	RunnerRollCall  = "runner.roll-call"
	ServerAlive     = "server.alive"
	PartitionTick   = "partition.tick"
)

// Verb says what an executor is to do.
type Verb string

const (
	// Apply makes the resource be as its inputs say.
	Apply Verb = "apply"
	// Destruct removes the resource and proves that nothing is left.
	Destruct Verb = "destroy"
	// Validate asks the resource's status endpoint until it answers as expected.
	Validate Verb = "validate"
	// Propose tells what Task.Proposes would change, and changes nothing.
	Propose Verb = "plan"
	// Observe looks whether the resource is there, and is as the last apply left it.
	Observe Verb = "observe"
)

// TaskRef names one attempt of one step: everything that is said about a task carries it, and what carries an
// older attempt or an older epoch is refused.
type TaskRef struct {
	Environment string `json:"environment"`
	Operation   string `json:"operation"`
	// Step is the address that the step's node had when it was first made: what is made for it is known by that, also when
	// it is called otherwise today (Task.Address).
	Step string `json:"step"`
	// Attempt grows by one with every offer of the step and is what fences an older one.
	Attempt   int    `json:"attempt"`
	Partition int    `json:"partition"`
	Epoch     uint64 `json:"epoch"`
}

// Task is one attempt of one step, offered to the runners of a pool.
type Task struct {
	TaskRef
	// Address is what people call the step, empty where that is its name (TaskRef.Step).
	Address  string `json:"address,omitempty"`
	Verb     Verb   `json:"verb"`
	Executor string `json:"executor"`
	// Proposes is what a plan is asked for: apply or destroy.
	Proposes Verb `json:"proposes,omitempty"`
	// Unknown are the parts of the inputs of a plan that are not known yet, by their paths ("keys.host"), and what each waits
	// for; they are null in Inputs.
	Unknown map[string][]string `json:"unknown,omitempty"`
	// Occasion is what an action runs on: create, update, destroy or demand.
	Occasion string `json:"occasion,omitempty"`
	// Unasked is a look between operations: it is taken only where a runner has nothing else to do for the step and a place free,
	// and prints nothing.
	Unasked bool `json:"unasked,omitempty"`
	// PreventDestroy: an apply that would destroy or replace the resource fails, and changes nothing.
	PreventDestroy bool `json:"prevent_destroy,omitempty"`
	// Adopt has an apply, or a plan of one, take over what is there already.
	Adopt *Adoption `json:"adopt,omitempty"`
	// Inputs is what the executor's schema describes, wholly known but for a plan; secrets are sealed leaves.
	Inputs json.RawMessage `json:"inputs,omitempty"`
	// Outputs are those of the last apply.
	Outputs json.RawMessage `json:"outputs,omitempty"`
	// State is what the step's executor saved last (State.Data), for every verb but validate; empty when there is nothing.
	State string `json:"state,omitempty"`
	// Plan is what the step's executor saved when it was asked for a plan (Result.SavedPlan), for an apply that does exactly that.
	Plan string `json:"plan,omitempty"`
	// Endpoint is what Validate asks.
	Endpoint *Endpoint `json:"endpoint,omitempty"`
	// Bundle is the files that the executor works on, by content.
	Bundle *Bundle `json:"bundle,omitempty"`
	// Timeout bounds the work, in nanoseconds; 0 is unbounded.
	Timeout time.Duration `json:"timeout,omitempty"`
	// AcceptBefore is when the offer lapses: a runner that gets it later does not start.
	AcceptBefore time.Time `json:"accept_before"`
	TraceParent  string    `json:"traceparent,omitempty"`
}

// Bundle is a folder packed as a gzipped tar, named by the SHA-256 of its files' names and contents.
type Bundle struct {
	Hash string `json:"hash"`
	Data []byte `json:"data,omitempty"`
}

// Endpoint is a status endpoint: URL http(s)://... expecting Status, tcp://host:port that has to accept, or an address that
// an executor of the runner knows how to ask, such as consul://service.
type Endpoint struct {
	URL string `json:"url"`
	// Host that is asked for over HTTP, where that is not the URL's: the URL is then that of a gateway.
	Host string `json:"host,omitempty"`
	// CA is what the certificate of an https URL is checked with, in PEM; "" takes the runner's roots.
	CA string `json:"ca,omitempty"`
	// Status expected of HTTP; 0 takes any of 200 to 299.
	Status int `json:"status,omitempty"`
	// Interval between two probes and Timeout of the whole window, in nanoseconds.
	Interval time.Duration `json:"interval,omitempty"`
	Timeout  time.Duration `json:"timeout,omitempty"`
}

// Accepted says that a runner works on a task.
type Accepted struct {
	TaskRef
	Runner    string    `json:"runner"`
	StartedAt time.Time `json:"started_at"`
}

// Refused says that a runner does not start a task, and why.
type Refused struct {
	TaskRef
	Runner string     `json:"runner"`
	Code   fault.Code `json:"code"`
	Reason string     `json:"reason,omitempty"`
}

// Result is the end of a task. Error nil is success.
type Result struct {
	TaskRef
	Runner     string          `json:"runner"`
	StartedAt  time.Time       `json:"started_at"`
	FinishedAt time.Time       `json:"finished_at"`
	Outputs    json.RawMessage `json:"outputs,omitempty"`
	Error      *fault.Error    `json:"error,omitempty"`
	// Plan is what a plan says, and Observation what an observe has found; nil for other verbs.
	Plan        *Plan        `json:"plan,omitempty"`
	Observation *Observation `json:"observation,omitempty"`
	// SavedPlan is what the executor needs to do exactly what Plan says, gzipped, and sealed for this environment and step
	// alone; empty where it goes by the inputs alone. Unkept is its size in bytes where that is larger than MaxState.
	SavedPlan string `json:"saved_plan,omitempty"`
	Unkept    int    `json:"unkept,omitempty"`
	// NotBefore is when trying again makes sense, where the runner knows: its breaker for the target is open until then.
	NotBefore *time.Time `json:"not_before,omitempty"`
}

// MaxState bounds State.Data in bytes: a task has room for it and for its files in one message.
const MaxState = 8 << 20

// State is what the executor of a step has to know the next time. The server keeps it and gives it to the next attempt,
// whichever runner that is on. It goes through the same queue as the result, and so is there before it.
type State struct {
	TaskRef
	Runner string `json:"runner"`
	// Number counts what the attempt saves, from 1: what is not newer than what was taken is a copy of it.
	Number int `json:"number"`
	// Data is gzipped, and sealed with the cluster's key for this environment and step alone; empty removes what was kept.
	Data string `json:"data,omitempty"`
}

// Heartbeat keeps the leases of the tasks that a runner works on in one partition.
type Heartbeat struct {
	Runner string    `json:"runner"`
	Pools  []string  `json:"pools,omitempty"`
	Time   time.Time `json:"time"`
	Tasks  []TaskRef `json:"tasks,omitempty"`
	// Progress of those of the tasks whose executor tells.
	Progress []TaskProgress `json:"progress,omitempty"`
}

// TaskProgress is how far the work of a task is.
type TaskProgress struct {
	TaskRef
	Progress
}

// Progress is how far a piece of work is, in the executor's own measure; Total 0 is unknown.
type Progress struct {
	Message string `json:"message,omitempty"`
	Done    int    `json:"done,omitempty"`
	Total   int    `json:"total,omitempty"`
}

// Alive is what every runner tells every server, every two seconds and when asked by a roll call, on the topic
// "runners" of the control exchange: who is there, for whom, and what it can't reach now.
type Alive struct {
	Name      string   `json:"name"`
	Runner    string   `json:"runner"`
	Pools     []string `json:"pools"`
	Executors []string `json:"executors"`
	// Probes are the status endpoints that it can ask: "status" for those of HTTP and TCP, and names of others.
	Probes []string `json:"probes,omitempty"`
	// Follows are those of the executors that can follow what a resource prints.
	Follows     []string `json:"follows,omitempty"`
	Labels      []string `json:"labels,omitempty"`
	Concurrency int      `json:"concurrency"`
	Running     int      `json:"running"`
	// Leaving: it takes no more tasks.
	Leaving  bool      `json:"leaving,omitempty"`
	Breakers []Breaker `json:"breakers,omitempty"`
	Version  string    `json:"version,omitempty"`
	Time     time.Time `json:"time"`
}

// Breaker is an open circuit breaker of a runner.
type Breaker struct {
	Executor string `json:"executor"`
	Target   string `json:"target"`
	// Until is when the target is tried again.
	Until time.Time `json:"until"`
	Error string    `json:"error,omitempty"`
}

// Hello announces a runner; Name stays over restarts, Runner is new with each, so that whoever sees a newer
// Runner of the same Name knows that the older one is gone.
type Hello struct {
	Name      string   `json:"name"`
	Runner    string   `json:"runner"`
	Pools     []string `json:"pools"`
	Executors []string `json:"executors"`
	Probes    []string `json:"probes,omitempty"`
	Version   string   `json:"version,omitempty"`
	// PublicKey (X25519) is what the cluster's key is wrapped for.
	PublicKey []byte `json:"public_key,omitempty"`
}

// Welcome is the server's reply to Hello.
type Welcome struct {
	Cluster    string `json:"cluster"`
	Epoch      uint64 `json:"epoch"`
	Partitions int    `json:"partitions"`
	WrappedKey []byte `json:"wrapped_key,omitempty"`
	// HeartbeatEvery is how often the runner has to be heard, in nanoseconds.
	HeartbeatEvery time.Duration `json:"heartbeat_every"`
}

// CancelTask asks the runner that works on a task to stop it.
type CancelTask struct {
	TaskRef
	Reason string `json:"reason,omitempty"`
}

// LogLine is one line that an executor printed, without its newline, masked and cleaned.
type LogLine struct {
	Time   time.Time `json:"time"`
	Stream string    `json:"stream" jsonschema:"enum=out,enum=err"`
	Text   string    `json:"text"`
}

// Logs is a batch of lines of one task; First numbers them within the attempt, from 0. Attempt 0 is no task: it is what the
// step's resource prints while it is deployed, numbered on from the milliseconds since 1970 whenever following begins anew.
type Logs struct {
	TaskRef
	First int       `json:"first"`
	Lines []LogLine `json:"lines"`
}

// ServerPresence is what every server tells every other, each second, on the topic "servers" of the control exchange: the
// partitions are spread over those that are heard.
type ServerPresence struct {
	Server string `json:"server"`
	Owned  []int  `json:"owned"`
	// Until is how long the side may act, by what this server knows, and its clock; absent when it knows of no bound.
	Until *time.Time `json:"until,omitempty"`
	// Leaving: it takes over nothing more.
	Leaving bool      `json:"leaving,omitempty"`
	Time    time.Time `json:"time"`
}

// Tick lets time pass in a partition: whoever owns the partition gets it.
type Tick struct {
	Partition int       `json:"partition"`
	Server    string    `json:"server"`
	Time      time.Time `json:"time"`
}
