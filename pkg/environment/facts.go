package environment

import (
	"encoding/json"
	"time"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Fact is something that has happened. Its Body says what; the body's type name is the journal entry's type and,
// between event.TypePrefix and event.TypeSuffix, the CloudEvents type under which it is published.
type Fact struct {
	At   time.Time
	Body Body
}

// Body is one of the fact types, of which Bodies has one each.
type Body interface {
	// Type is the fact's name, such as "step.complete".
	Type() string
}

// CommandRejected: a command was not taken.
type CommandRejected struct {
	CommandID   string       `json:"command_id"`
	Command     string       `json:"command"`
	RequestedBy string       `json:"requested_by,omitempty"`
	Error       *fault.Error `json:"error"`
}

// Created: an environment begins, with the whole graph that was resolved for it.
type Created struct {
	CommandID   string                     `json:"command_id"`
	RequestedBy string                     `json:"requested_by,omitempty"`
	Operation   string                     `json:"operation"`
	Description string                     `json:"description,omitempty"`
	Tags        []string                   `json:"tags,omitempty"`
	Templates   []Template                 `json:"templates"`
	Parameters  map[string]json.RawMessage `json:"parameters,omitempty"`
	Given       []string                   `json:"given,omitzero"` // names of the parameters that were given; others have their defaults
	Groups      []Group                    `json:"groups,omitempty"`
	Nodes       []Node                     `json:"nodes"`
	DestroyAt   *time.Time                 `json:"destroy_at,omitempty"`
	// Plan is the operation whose plan is carried out, and nothing else; "" where none was asked for.
	Plan string `json:"plan,omitempty"`
	// Standing is what the templates say.
	Standing
	// Planned: nobody sent a command; its hours had come.
	Planned     bool    `json:"planned,omitempty"`
	FailFast    bool    `json:"fail_fast,omitempty"`
	Parallelism int     `json:"parallelism"`
	Epoch       uint64  `json:"epoch"`
	Origin      *Origin `json:"origin,omitempty"` // of a clone
	// Sources are the outputs, with the addresses that each comes from.
	Sources map[string][]string `json:"sources,omitempty"`
	Adopts  Adoptions           `json:"adopts,omitzero"` // resources that are taken over, by address
	// Approvals are the rules that are in force from now on.
	Approvals []Approval `json:"approvals,omitempty"`
}

// StatusDeploying: the create operation has begun to act.
type StatusDeploying struct {
	Operation string `json:"operation"`
}

// StatusValidating: everything is applied; the status endpoints are being asked.
type StatusValidating struct {
	Operation string `json:"operation"`
	Probes    int    `json:"probes"`
}

// StatusDeployed: everything is applied and answers.
type StatusDeployed struct {
	Operation   string          `json:"operation"`
	Outputs     json.RawMessage `json:"outputs,omitempty"`
	Entrypoints []Entrypoint    `json:"entrypoints,omitempty"`
}

// StatusFailed: the create operation has ended without all of it.
type StatusFailed struct {
	Operation string       `json:"operation"`
	Error     *fault.Error `json:"error"`
}

// StatusDestroying: a destroy operation has begun.
type StatusDestroying struct {
	CommandID   string `json:"command_id"`
	RequestedBy string `json:"requested_by,omitempty"`
	Operation   string `json:"operation"`
	// Planned: nobody sent a command; its time had come.
	Planned bool   `json:"planned,omitempty"`
	Plan    string `json:"plan,omitempty"` // as in Created
	// Groups are those that are destroyed alone, and Steps what that takes; absent: all is destroyed.
	Groups []string `json:"groups,omitempty"`
	Steps  []string `json:"steps,omitempty"`
	// Hours: it is made again at its next up.
	Hours bool `json:"hours,omitempty"`
	Force bool `json:"force,omitempty"`
	// Resumes are groups that were paused, for which a destroy by force does not wait.
	Resumes     []string `json:"resumes,omitempty"`
	FailFast    bool     `json:"fail_fast,omitempty"`
	Parallelism int      `json:"parallelism"`
	Epoch       uint64   `json:"epoch"`
}

// StatusRetrying: a create operation begins again where the one before failed. Nodes that are deployed take no part.
type StatusRetrying struct {
	CommandID   string `json:"command_id"`
	RequestedBy string `json:"requested_by,omitempty"`
	Operation   string `json:"operation"`
	// Groups are those that are tried again alone, and Steps what that takes; absent: all that failed is.
	Groups      []string `json:"groups,omitempty"`
	Steps       []string `json:"steps,omitempty"`
	Plan        string   `json:"plan,omitempty"` // as in Created
	FailFast    bool     `json:"fail_fast,omitempty"`
	Parallelism int      `json:"parallelism"`
	Epoch       uint64   `json:"epoch"`
}

// StatusRunning: an action runs that was asked for. The environment is afterwards what it was before.
type StatusRunning struct {
	CommandID   string `json:"command_id"`
	RequestedBy string `json:"requested_by,omitempty"`
	Operation   string `json:"operation"`
	// Action is the address of its node.
	Action string `json:"action"`
	Epoch  uint64 `json:"epoch"`
}

// StatusChecking: resources are being looked at. The environment is afterwards what it was before.
type StatusChecking struct {
	CommandID   string `json:"command_id"`
	RequestedBy string `json:"requested_by,omitempty"`
	Operation   string `json:"operation"`
	// Resources are those that are looked at; absent: all that are there.
	Resources []string `json:"resources,omitempty"`
	// Planned: nobody sent a command; its hours had come.
	Planned     bool   `json:"planned,omitempty"`
	Parallelism int    `json:"parallelism"`
	Epoch       uint64 `json:"epoch"`
}

// ResourceObserved: a look at a resource has found something that was not known: its first since the last apply, or other
// than the one before. A look that finds the same again is a StepComplete and no more.
type ResourceObserved struct {
	Operation   string             `json:"operation"`
	Step        string             `json:"step"`
	Presence    event.Presence     `json:"presence" jsonschema:"enum=present,enum=absent,enum=unknown"`
	Drifted     bool               `json:"drifted,omitempty"`
	Differences []event.Difference `json:"differences,omitempty"`
	Omitted     int                `json:"omitted,omitempty"` // differences that were too many to show
	At          time.Time          `json:"at"`
	// Unasked: no operation asked for it. It was seen between two.
	Unasked bool `json:"unasked,omitempty"`
	// VoidsPlans: it is, or was, not as it was left, and not as it was known: what was planned before that can't be carried out.
	VoidsPlans bool `json:"voids_plans,omitempty"`
}

// Updated: an update operation begins: this is what the environment is to be from now on. Steps names the nodes that take
// part, because they are new, have changed, were not finished before, or depend on one that takes part. Nodes that are not
// among Nodes any more are destroyed, each after all that stood on it has been seen to.
type Updated struct {
	CommandID   string                     `json:"command_id"`
	RequestedBy string                     `json:"requested_by,omitempty"`
	Operation   string                     `json:"operation"`
	Description *string                    `json:"description,omitempty"`
	Tags        []string                   `json:"tags,omitempty"`
	Templates   []Template                 `json:"templates"`
	Parameters  map[string]json.RawMessage `json:"parameters,omitempty"`
	Given       []string                   `json:"given,omitzero"`
	Groups      []Group                    `json:"groups,omitempty"`
	Nodes       []Node                     `json:"nodes"`
	// Moved are the nodes that get another address, and are otherwise what they were.
	Moved []Moved  `json:"moved,omitempty"`
	Steps []string `json:"steps,omitempty"`
	// Partings are the actions that run before what they depend on is destroyed.
	Partings  []Parting  `json:"partings,omitempty"`
	DestroyAt *time.Time `json:"destroy_at,omitempty"`
	// Forever: it is not destroyed by itself any more.
	Forever bool `json:"forever,omitempty"`
	// Standing is what the templates say.
	Standing
	// Heal: what was found gone, or other than it was left, is applied in any case.
	Heal        bool   `json:"heal,omitempty"`
	Plan        string `json:"plan,omitempty"` // as in Created
	FailFast    bool   `json:"fail_fast,omitempty"`
	Parallelism int    `json:"parallelism"`
	Epoch       uint64 `json:"epoch"`
	// Origin is that of a rollback or a promotion, and Kept are the parameters that a promotion leaves alone.
	Origin *Origin  `json:"origin,omitempty"`
	Kept   []string `json:"kept,omitzero"`
	// Adopts are resources that are taken over, by address; null gives that up.
	Adopts Adoptions `json:"adopts,omitzero"`
	// Changed are the parameters in force that become others; absent in journals of before they were told.
	Changed []ParameterChange `json:"changed,omitzero"`
	// Sources are the outputs, with the addresses that each comes from.
	Sources map[string][]string `json:"sources,omitempty"`
	// Approvals are the rules that are in force from now on.
	Approvals []Approval `json:"approvals,omitempty"`
}

// Scheduled: it is settled when the environment is destroyed by itself; absent: it is not.
type Scheduled struct {
	CommandID   string     `json:"command_id"`
	RequestedBy string     `json:"requested_by,omitempty"`
	DestroyAt   *time.Time `json:"destroy_at,omitempty"`
	// Standing is what was said of the environment itself; absent: as it was.
	Standing
}

// DestructionAhead: the environment is going to be destroyed by itself.
type DestructionAhead struct {
	DestroyAt time.Time `json:"destroy_at"`
	// Warning is which of the warnings this is: how long before, in nanoseconds.
	Warning time.Duration `json:"warning"`
}

// DestructionHeld: the environment's time has come, and it can't be destroyed as it stands. It is, as soon as it can.
type DestructionHeld struct {
	DestroyAt time.Time    `json:"destroy_at"`
	Error     *fault.Error `json:"error"`
}

// StatusDestroyed: nothing is left, and that was proven resource by resource.
type StatusDestroyed struct {
	Operation string `json:"operation"`
}

// StatusDestroyFailed: the destroy operation has ended and something is, or may be, left.
type StatusDestroyFailed struct {
	Operation string       `json:"operation"`
	Error     *fault.Error `json:"error"`
}

// Cancelling: nothing new is started, and what runs is asked to stop; by a command, or by fail_fast.
type Cancelling struct {
	CommandID   string `json:"command_id,omitempty"`
	RequestedBy string `json:"requested_by,omitempty"`
	Operation   string `json:"operation"`
	Reason      string `json:"reason,omitempty"`
}

// Paused: nothing new is started; what runs goes on.
type Paused struct {
	CommandID   string `json:"command_id"`
	RequestedBy string `json:"requested_by,omitempty"`
	Operation   string `json:"operation"`
	Reason      string `json:"reason,omitempty"`
}

// Resumed: the pause is over.
type Resumed struct {
	CommandID   string `json:"command_id"`
	RequestedBy string `json:"requested_by,omitempty"`
	Operation   string `json:"operation"`
}

// Held: steps of one executor in one pool can't be offered now, or those that use one output of another environment, or all
// that are evaluated first; or can be again where Reason is absent.
type Held struct {
	Operation string `json:"operation"`
	Pool      string `json:"pool"`
	Executor  string `json:"executor"`
	// Environment and Output are what is waited for, instead of a pool.
	Environment string `json:"environment,omitempty"`
	Output      string `json:"output,omitempty"`
	// Templates: it is about what the templates have to be evaluated for.
	Templates bool    `json:"templates,omitempty"`
	Reason    *Reason `json:"reason,omitempty"`
}

// Finished: the operation is over.
type Finished struct {
	Operation string            `json:"operation"`
	Kind      OperationKind     `json:"kind"`
	Status    OperationStatus   `json:"status"`
	Steps     map[StepState]int `json:"steps"`
	Error     *fault.Error      `json:"error,omitempty"`
}

func (CommandRejected) Type() string     { return "command.rejected" }
func (Created) Type() string             { return "environment.created" }
func (StatusDeploying) Type() string     { return "environment.deploying" }
func (StatusValidating) Type() string    { return "environment.validating" }
func (StatusDeployed) Type() string      { return "environment.deployed" }
func (StatusFailed) Type() string        { return "environment.failed" }
func (StatusDestroying) Type() string    { return "environment.destroying" }
func (StatusRetrying) Type() string      { return "environment.retrying" }
func (StatusRunning) Type() string       { return "environment.running" }
func (StatusChecking) Type() string      { return "environment.checking" }
func (ResourceObserved) Type() string    { return "resource.observed" }
func (Updated) Type() string             { return "environment.updating" }
func (Scheduled) Type() string           { return "environment.scheduled" }
func (DestructionAhead) Type() string    { return "environment.destruction-ahead" }
func (DestructionHeld) Type() string     { return "environment.destruction-held" }
func (Paused) Type() string              { return "operation.paused" }
func (Resumed) Type() string             { return "operation.resumed" }
func (Held) Type() string                { return "operation.held" }
func (StatusDestroyed) Type() string     { return "environment.destroyed" }
func (StatusDestroyFailed) Type() string { return "environment.destroy-failed" }
func (Cancelling) Type() string          { return "operation.cancelling" }
func (Finished) Type() string            { return "operation.finished" }
