package environment

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Status is that of an environment or of one of its resources.
type Status string

const (
	Pending       Status = "pending"
	Deploying     Status = "deploying"
	Validating    Status = "validating"
	Deployed      Status = "deployed"
	Failed        Status = "failed"
	Destroying    Status = "destroying"
	Destroyed     Status = "destroyed"
	DestroyFailed Status = "destroy-failed"
	// Running is an environment in which an action runs that was asked for; it is then what it was before.
	Running Status = "running"
	// Checking is an environment whose resources are being looked at; it is then what it was before.
	Checking Status = "checking"
	// Planning is an environment of which somebody asks what would change; it is then what it was before. Planned is one that
	// there is nothing of but such a plan.
	Planning Status = "planning"
	Planned  Status = "planned"
	// StatusAwaitingApproval is an environment whose update or destroy is planned and waits for approval; nothing of it has begun.
	StatusAwaitingApproval Status = "awaiting-approval"
	// Idle is an action that waits for its occasion.
	Idle Status = "idle"
	// StatusRetained is a resource that was left where it is instead of being destroyed.
	StatusRetained Status = "retained"
)

// Statuses are all of them, in the order of a life.
func Statuses() []Status {
	return []Status{Pending, Deploying, Validating, Deployed, Failed, Destroying, Destroyed, DestroyFailed, Running, Checking, Planning, Planned, Idle, StatusRetained, StatusAwaitingApproval}
}

// Settled tells whether nothing is under way in an environment of this status.
func (s Status) Settled() bool {
	return s == Deployed || s == Failed || s == Destroyed || s == DestroyFailed || s == Planned
}

// StepState is that of a step within an operation; the states of the task protocol, and two for what never ran.
type StepState string

const (
	StateBlocked  StepState = "blocked"  // waits for what it depends on
	StateQueued   StepState = "queued"   // may run; waits for a place, or for a backoff to pass
	StateWaiting  StepState = "waiting"  // offered to the runners of its pool
	StateRunning  StepState = "running"  // a runner has accepted it and is heard
	StateComplete StepState = "complete" // done
	StateError    StepState = "error"    // failed for good
	StateSkipped  StepState = "skipped"  // never ran: what it depends on failed, or the operation was cancelled
)

// Ended tells whether nothing more happens to a step in this state.
func (s StepState) Ended() bool { return s == StateComplete || s == StateError || s == StateSkipped }

// NodeType tells resources, which are there until destroyed, from actions, which run and are over, and from status
// endpoints of the environment as a whole, which are only looked at.
type NodeType string

const (
	ResourceNode NodeType = "resource"
	ActionNode   NodeType = "action"
	StatusNode   NodeType = "status"
)

// Occasion is when an action runs.
type Occasion string

const (
	OnCreate  Occasion = "create"  // once, while the environment is made
	OnUpdate  Occasion = "update"  // with every update
	OnDestroy Occasion = "destroy" // before what it depends on is destroyed
	OnDemand  Occasion = "demand"  // when environment.run asks for it
)

// Occasions are all of them.
func Occasions() []Occasion { return []Occasion{OnCreate, OnUpdate, OnDestroy, OnDemand} }

// Node is one vertex of an environment's graph, as the templates resolved it: what is to be there, before
// anything was done. It never changes within an operation.
type Node struct {
	// Address names the node within its environment: template.executor.name[key], template.action.name or
	// template.status.name.
	Address string `json:"address"`
	// Identity is what the node is known by to runners, to what they made and to the store of states and logs: the address
	// that it had when it was first made, "" where it still has that. A `moved` block changes the address alone.
	Identity  string   `json:"identity,omitempty"`
	Type      NodeType `json:"type" jsonschema:"enum=resource,enum=action,enum=status"`
	Template  string   `json:"template"`
	Executor  string   `json:"executor"`
	Name      string   `json:"name"`
	Key       string   `json:"key,omitempty"` // for_each key or count index, as text
	Group     string   `json:"group,omitempty"`
	DependsOn []string `json:"depends_on,omitempty"`
	// Consumes are the outputs of other environments that it uses.
	Consumes []Consumption `json:"consumes,omitempty"`
	Pool     string        `json:"pool,omitempty"` // empty: the default pool
	// Timeout of one attempt in nanoseconds; 0 takes the server's default.
	Timeout time.Duration `json:"timeout,omitempty"`
	Retry   *RetryPolicy  `json:"retry,omitempty"`
	// RunOn says when an action runs; empty is OnCreate alone.
	RunOn []Occasion `json:"run_on,omitempty"`
	// Probed nodes have a status endpoint, which is evaluated and asked once everything is applied.
	Probed bool `json:"probed,omitempty"`
	// Probe is what a runner has to be able to ask it with, such as "consul"; empty for what every runner can.
	Probe string `json:"probe,omitempty"`
	// Expiry is how long a step may wait for a runner, in nanoseconds, before it fails; 0 for ever.
	Expiry time.Duration `json:"expiry,omitempty"`
	// Bundle is the content hash of the files that the executor needs. They are in the template that TemplateHash names.
	Bundle       string `json:"bundle,omitempty"`
	TemplateHash string `json:"template_hash,omitempty"`
	// Commit is that of the git repository from which the files were fetched; "" for those of the template's own folder.
	Commit string `json:"commit,omitempty"`
	// Idempotent: running it again after an attempt of which nobody knows the end does no harm. What such an attempt has made is
	// found and taken over.
	Idempotent bool `json:"idempotent,omitempty"`
	// Description is the author's.
	Description string `json:"description,omitempty"`
	Protection
}

// RunsOn tells whether an action runs on an occasion. Resources have no occasions: they are made and destroyed.
func (n Node) RunsOn(o Occasion) bool {
	if n.Type != ActionNode {
		return false
	}
	return slices.Contains(n.RunOn, o) || (len(n.RunOn) == 0 && o == OnCreate)
}

// made tells whether the node is something to do while the environment is made.
func (n Node) made() bool { return n.Type == ResourceNode || n.RunsOn(OnCreate) }

// RetryPolicy says how often a failed step is tried again and how long it waits between: Backoff doubled with
// every failure, at most MaxBackoff (nanoseconds).
type RetryPolicy struct {
	Attempts   int           `json:"attempts"` // in all, at least 1
	Backoff    time.Duration `json:"backoff,omitempty"`
	MaxBackoff time.Duration `json:"max_backoff,omitempty"`
}

// Template says which template an environment was made from.
type Template struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Hash    string `json:"hash"`             // SHA-256 over the names and contents of its files
	Commit  string `json:"commit,omitempty"` // of the git checkout it was read from; "-dirty" appended when it had changes
}

// Entrypoint is an address at which people find the environment.
type Entrypoint struct {
	Name        string `json:"name"`
	URL         string `json:"url"`
	Description string `json:"description,omitempty"`
}

// Group is a named set of resources.
type Group struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	// DependsOn are the groups that all of it depends on.
	DependsOn []string `json:"depends_on,omitempty"`
}

// OperationKind is what an operation does with an environment.
type OperationKind string

const (
	CreateOperation  OperationKind = "create"
	DestroyOperation OperationKind = "destroy"
	RetryOperation   OperationKind = "retry"
	RunOperation     OperationKind = "run"
	UpdateOperation  OperationKind = "update"
	CheckOperation   OperationKind = "check"
	PlanOperation    OperationKind = "plan"
)

// makes tells whether an operation makes the environment be there, and so ends with a look whether it answers.
func (k OperationKind) makes() bool {
	return k == CreateOperation || k == RetryOperation || k == UpdateOperation
}

// looks tells whether an operation changes nothing: the nodes stay what they are, and no step waits for another.
func (k OperationKind) looks() bool { return k == CheckOperation || k == PlanOperation }

// Occasion is what actions run on in such an operation.
func (k OperationKind) Occasion() Occasion {
	switch k {
	case DestroyOperation:
		return OnDestroy
	case RunOperation:
		return OnDemand
	case UpdateOperation:
		return OnUpdate
	}
	return OnCreate
}

// OperationStatus is how far an operation is.
type OperationStatus string

const (
	OperationRunning    OperationStatus = "running"
	OperationCancelling OperationStatus = "cancelling"
	OperationSucceeded  OperationStatus = "succeeded"
	OperationFailed     OperationStatus = "failed"
	OperationCancelled  OperationStatus = "cancelled"
)

// Reason says why a step does not run now, and what would free it.
type Reason struct {
	// Code is one of the constants Because....
	Code   ReasonCode `json:"code"`
	Detail string     `json:"detail,omitempty"`
	// Until is when it ends by itself, if it does.
	Until *time.Time `json:"until,omitempty"`
}

// ReasonCode is a stable name of a reason.
type ReasonCode string

const (
	BecauseDependency       ReasonCode = "dependency"
	BecauseDependencyFailed ReasonCode = "dependency-failed"
	BecauseEnvironmentLimit ReasonCode = "environment-limit"
	BecausePoolLimit        ReasonCode = "pool-limit"
	BecauseNoRunner         ReasonCode = "no-runner"
	BecauseBreaker          ReasonCode = "breaker-open"
	BecauseBackoff          ReasonCode = "backoff"
	BecausePaused           ReasonCode = "paused"
	BecauseOffered          ReasonCode = "offered"
	BecauseLost             ReasonCode = "runner-lost"
	BecauseCancelled        ReasonCode = "operation-cancelled"
	BecauseApproval         ReasonCode = "approval"
	// BecauseEnvironment: an output of another environment is needed, and that is not deployed.
	BecauseEnvironment ReasonCode = "environment"
	// BecauseNoExecutor: its templates have a kind of resource that the server has no executor of any more, so that nothing of them
	// can be evaluated.
	BecauseNoExecutor ReasonCode = "no-executor"
)

// The records below are the projection: what the store keeps for readers, written in the transaction that appends
// the facts. Secrets in them are sealed leaves; whoever shows them runs secret.Show first.

// Record is an environment as readers see it.
type Record struct {
	Name        string                     `json:"name"`
	Status      Status                     `json:"status"`
	Description string                     `json:"description,omitempty"`
	Tags        []string                   `json:"tags"`
	Templates   []Template                 `json:"templates"`
	Parameters  map[string]json.RawMessage `json:"parameters,omitempty"`
	Given       []string                   `json:"given,omitzero"`    // names of the parameters that were given; others have their defaults
	Outputs     json.RawMessage            `json:"outputs,omitempty"` // object, after a successful create
	Entrypoints []Entrypoint               `json:"entrypoints,omitempty"`
	Groups      []Group                    `json:"groups,omitempty"`
	Down        []string                   `json:"down,omitempty"`      // groups that were destroyed alone, or in part
	Paused      []Pause                    `json:"paused,omitempty"`    // groups of which nothing is begun until they are resumed
	Operation   string                     `json:"operation,omitempty"` // the one under way, or the last
	Error       *fault.Error               `json:"error,omitempty"`     // why the last operation failed
	Resources   map[Status]int             `json:"resources"`           // count by status
	Health      *HealthSummary             `json:"health,omitempty"`    // absent where nothing is watched
	Drifted     int                        `json:"drifted,omitempty"`   // resources that the last check found gone, or other than they were left
	Uncertain   int                        `json:"uncertain,omitempty"` // steps of which a person has to say whether they were done
	Approvals   []Approval                 `json:"approvals,omitempty"` // what has to be approved, and by whom
	Awaiting    *AwaitingRecord            `json:"awaiting,omitempty"`  // the approval that is waited for
	DestroyAt   *time.Time                 `json:"destroy_at,omitempty"`
	// DestroyHeld is why it is not destroyed although its time has come.
	DestroyHeld *fault.Error `json:"destroy_held,omitempty"`
	Lock        *Lock        `json:"lock,omitempty"`
	// Queued is the command that begins when nothing is under way any more.
	Queued *Queued `json:"queued,omitempty"`
	// Standing is what is done with it again and again, and Next when, the soonest first. One that is destroyed, and has a
	// next create, is down by its hours.
	Standing
	Next []Appointment `json:"next,omitempty"`
	// Retained are resources that were left where they are when they would have been destroyed.
	Retained []Retained `json:"retained,omitempty"`
	// Moved has the identities (Node.Identity) of the nodes that were moved, by their addresses.
	Moved     map[string]string `json:"moved,omitempty"`
	CreatedAt time.Time         `json:"created_at"`
	UpdatedAt time.Time         `json:"updated_at"`
	Partition int               `json:"partition"`
	Revision  uint64            `json:"revision"` // journal sequence of the last fact in its partition
	Epoch     uint64            `json:"epoch"`

	// Sources are the outputs, each with the addresses that it comes from.
	Sources map[string][]string `json:"sources,omitempty"`
}

// ResourceRecord is a node as readers see it.
type ResourceRecord struct {
	Node
	Environment string          `json:"environment"`
	Status      Status          `json:"status"`
	CreatedBy   string          `json:"created_by,omitempty"` // operation that makes it, or made it
	Step        StepRecord      `json:"step"`
	Inputs      json.RawMessage `json:"inputs,omitempty"`  // of the last attempt
	Outputs     json.RawMessage `json:"outputs,omitempty"` // of the last success
	Health      *EndpointHealth `json:"health,omitempty"`  // of its status endpoint, since it was validated
	// Drift is what the last check has found, absent when there was none since the last apply.
	Drift *Drift `json:"drift,omitempty"`
	// HealGaveUp: it was healed so often that it is left to people.
	HealGaveUp bool      `json:"heal_gave_up,omitempty"`
	Revision   uint64    `json:"revision"`
	UpdatedAt  time.Time `json:"updated_at"`
}

// Drift is how a resource was found, against how the last apply left it.
type Drift struct {
	Presence event.Presence `json:"presence" jsonschema:"enum=present,enum=absent,enum=unknown"`
	// Drifted: it is there, but not as it was left. Differences say in what.
	Drifted     bool               `json:"drifted,omitempty"`
	Differences []event.Difference `json:"differences,omitempty"`
	Omitted     int                `json:"omitted,omitempty"` // differences that were too many to show
	CheckedAt   time.Time          `json:"checked_at"`
}

// Off tells whether the resource is not as it was left, or not there. Nothing known is not off.
func (d *Drift) Off() bool { return d != nil && (d.Drifted || d.Presence == event.Absent) }

// StepRecord is the present or last step of a node.
type StepRecord struct {
	Operation  string       `json:"operation,omitempty"`
	Verb       event.Verb   `json:"verb,omitempty"`
	State      StepState    `json:"state,omitempty"`
	Attempt    int          `json:"attempt,omitempty"`
	Failures   int          `json:"failures,omitempty"`
	Runner     string       `json:"runner,omitempty"`
	Reason     *Reason      `json:"reason,omitempty"`
	Error      *fault.Error `json:"error,omitempty"`
	StartedAt  *time.Time   `json:"started_at,omitempty"`
	FinishedAt *time.Time   `json:"finished_at,omitempty"`
	// Progress is what the executor told last.
	Progress *event.Progress `json:"progress,omitempty"`
	// Doubt is there while it is not known whether the step was done.
	Doubt *Doubt `json:"doubt,omitempty"`
}

// OperationRecord is an operation as readers see it.
type OperationRecord struct {
	ID          string            `json:"id"`
	Environment string            `json:"environment"`
	Kind        OperationKind     `json:"kind"`
	Status      OperationStatus   `json:"status"`
	CommandID   string            `json:"command_id"`
	RequestedBy string            `json:"requested_by,omitempty"` // CloudEvents source of the command
	FailFast    bool              `json:"fail_fast,omitempty"`
	Force       bool              `json:"force,omitempty"`
	Parallelism int               `json:"parallelism"`
	Groups      []string          `json:"groups,omitempty"` // that it is of; absent: it is of all
	Paused      bool              `json:"paused,omitempty"`
	Pause       *Pause            `json:"pause,omitempty"` // who has paused it, and why
	Steps       map[StepState]int `json:"steps"`           // count by state
	Error       *fault.Error      `json:"error,omitempty"`
	StartedAt   time.Time         `json:"started_at"`
	FinishedAt  *time.Time        `json:"finished_at,omitempty"`
	// Plan is what an operation of kind plan has found, once it is over. Lists of operations leave it out.
	Plan *PlanRecord `json:"plan,omitempty"`
	// Origin is that of a rollback, a promotion or a clone.
	Origin *Origin `json:"origin,omitempty"`
	// Awaiting is the approval that it waits for.
	Awaiting *AwaitingRecord `json:"awaiting,omitempty"`
	// Executes is the operation whose plan this one carries out.
	Executes string `json:"executes,omitempty"`
	Revision uint64 `json:"revision"`
}

// PlanRecord is what would change. It holds no secret.
type PlanRecord struct {
	Destroy   bool       `json:"destroy,omitempty"`
	Templates []Template `json:"templates,omitempty"`
	// Before are the templates of the environment as it was; none where there was none.
	Before []Template `json:"before,omitempty"`
	// Moved are the nodes that get another address, and are otherwise what they were.
	Moved []Moved `json:"moved,omitempty"`
	// Counts by change; those of which it was known without asking that nothing changes are counted alone.
	Counts map[event.Change]int `json:"counts"`
	Steps  []PlannedStep        `json:"steps"` // in the order in which they would begin, removals last
	// Shown counts the differences that are kept.
	Shown int `json:"shown,omitempty"`
	// Changed are the parameters in force that would become others.
	Changed []ParameterChange `json:"changed,omitempty"`
	// Of is the earlier plan that an operation waits to carry out; its steps are there.
	Of string `json:"of,omitempty"`
	// Until is how long environment.apply can carry it out, if nothing changes the environment before; absent: it can't be.
	Until *time.Time `json:"until,omitempty"`
	// Against are the uses of outputs by other environments for which it would be refused unless despite_consumers is said.
	Against []Consumer `json:"against,omitempty"`
}

// PlannedStep is what would change of one node.
type PlannedStep struct {
	Address  string     `json:"address"`
	Type     NodeType   `json:"type" jsonschema:"enum=resource,enum=action,enum=status"`
	Proposes event.Verb `json:"proposes"`
	event.Plan
	// Error is why it is not known, or may not be done.
	Error *fault.Error `json:"error,omitempty"`
}

// Changes is what one batch of facts does to the projection: records to write over what is there, by name,
// (environment, address) and (environment, id). Edges are the DependsOn, Consumes and CreatedBy of the resources. An environment in Created is new, or
// made again under its old name: the resources that it had are removed first.
type Changes struct {
	Created      []string
	Environments []Record
	Resources    []ResourceRecord
	Operations   []OperationRecord
	// Removed are resources that are no more, or have another address now.
	Removed []Removal
}

// Removal takes a resource's record out, where it has an Address, and the state that was kept for it, where it has a State.
type Removal struct {
	ResourceName
	State string `json:"state,omitempty"` // Node.ID
}

// ResourceName names a resource among those of all environments.
type ResourceName struct {
	Environment string `json:"environment"`
	Address     string `json:"address"`
}
