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

// Body is one of the fact types below.
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
	Hours       bool   `json:"hours,omitempty"`
	Force       bool   `json:"force,omitempty"`
	FailFast    bool   `json:"fail_fast,omitempty"`
	Parallelism int    `json:"parallelism"`
	Epoch       uint64 `json:"epoch"`
}

// StatusRetrying: a create operation begins again where the one before failed. Nodes that are deployed take no part.
type StatusRetrying struct {
	CommandID   string `json:"command_id"`
	RequestedBy string `json:"requested_by,omitempty"`
	Operation   string `json:"operation"`
	// Groups are those that are tried again alone, and Steps what that takes; absent: all that failed is.
	Groups      []string `json:"groups,omitempty"`
	Steps       []string `json:"steps,omitempty"`
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

// StepUnchanged: now that all it depends on is known, what the step would be given is what it was given last; nothing ran.
type StepUnchanged struct {
	Operation string `json:"operation"`
	Step      string `json:"step"`
	// Consumed is as that of StepWaiting: the same value may come from another resource.
	Consumed []Consumption `json:"consumed,omitempty"`
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

// StepWaiting: a step was offered to the runners of its pool.
type StepWaiting struct {
	Operation    string          `json:"operation"`
	Step         string          `json:"step"`
	Verb         event.Verb      `json:"verb"`
	Attempt      int             `json:"attempt"`
	AcceptBefore time.Time       `json:"accept_before"`
	Inputs       json.RawMessage `json:"inputs,omitempty"`
	// Fingerprint is that of Inputs (see Inputs in this package).
	Fingerprint string          `json:"fingerprint,omitempty"`
	Endpoint    *event.Endpoint `json:"endpoint,omitempty"`
	// Consumed are the outputs of other environments that are in it, and what they come from.
	Consumed []Consumption `json:"consumed,omitempty"`
	// Plan is the saved plan that is carried out.
	Plan *SavedPlan `json:"plan,omitempty"`
}

// StepRunning: a runner works on the step.
type StepRunning struct {
	Operation string    `json:"operation"`
	Step      string    `json:"step"`
	Attempt   int       `json:"attempt"`
	Runner    string    `json:"runner"`
	StartedAt time.Time `json:"started_at"`
}

// StepComplete: the step has done what it should.
type StepComplete struct {
	Operation  string          `json:"operation"`
	Step       string          `json:"step"`
	Attempt    int             `json:"attempt"`
	Runner     string          `json:"runner,omitempty"`
	StartedAt  time.Time       `json:"started_at"`
	FinishedAt time.Time       `json:"finished_at"`
	Outputs    json.RawMessage `json:"outputs,omitempty"`
	// Consumed is as that of StepWaiting, of a step that no runner was needed for.
	Consumed []Consumption `json:"consumed,omitempty"`
}

// StepQueued: the attempt came to nothing, and there will be another one.
type StepQueued struct {
	Operation string       `json:"operation"`
	Step      string       `json:"step"`
	Attempt   int          `json:"attempt"`
	Cause     QueueCause   `json:"cause" jsonschema:"enum=failed,enum=lapsed,enum=refused,enum=lost,enum=unavailable"`
	NotBefore *time.Time   `json:"not_before,omitempty"`
	Error     *fault.Error `json:"error,omitempty"`
}

// QueueCause says what became of the attempt before.
type QueueCause string

const (
	CauseFailed  QueueCause = "failed"  // the executor reported an error that may pass
	CauseLapsed  QueueCause = "lapsed"  // nobody accepted the offer in time
	CauseRefused QueueCause = "refused" // the runner that got it did not start it
	CauseLost    QueueCause = "lost"    // the runner that accepted it is not heard any more
	// CauseUnavailable: what the executor talks to is away, and its circuit breaker open. This counts as no failure.
	CauseUnavailable QueueCause = "unavailable"
)

func (c QueueCause) reason() ReasonCode {
	switch c {
	case CauseUnavailable:
		return BecauseBreaker
	case CauseLost, CauseRefused:
		return BecauseLost
	case CauseLapsed:
		return BecauseNoRunner
	}
	return BecauseBackoff
}

// StepError: the step has failed for good.
type StepError struct {
	Operation string       `json:"operation"`
	Step      string       `json:"step"`
	Attempt   int          `json:"attempt"`
	Runner    string       `json:"runner,omitempty"`
	Error     *fault.Error `json:"error"`
}

// StepProgress: a running step tells how far it is.
type StepProgress struct {
	Operation string `json:"operation"`
	Step      string `json:"step"`
	Attempt   int    `json:"attempt"`
	event.Progress
}

// StateSaved: the server keeps what the executor of a step has to know the next time, or no longer does. What it is lies
// in the store, under the hash.
type StateSaved struct {
	Operation string `json:"operation"`
	Step      string `json:"step"`
	// Identity is under which name the store has it, "" for Step.
	Identity string `json:"identity,omitempty"`
	Attempt  int    `json:"attempt"`
	Runner   string `json:"runner"`
	Number   int    `json:"number"` // within the attempt, from 1
	StateRef
	Removed bool `json:"removed,omitempty"`
}

// StateRef names a state without showing it.
type StateRef struct {
	Hash string `json:"hash,omitempty"` // SHA-256 of event.State.Data, in hexadecimal
	Size int    `json:"size,omitempty"` // of event.State.Data, in bytes
}

// TaskRefused: what a runner said was not taken, since it is about an older attempt, operation or epoch, or is said by
// another runner than the one that has the step. A state that was refused is named; it lies in the dead letters.
type TaskRefused struct {
	Operation string `json:"operation"`
	Step      string `json:"step"`
	Attempt   int    `json:"attempt"`
	Runner    string `json:"runner"`
	Epoch     uint64 `json:"epoch"`
	// State is what a refused event.State had, absent for a result.
	State *StateRef `json:"state,omitempty"`
}

// StepSkipped: the step does not run in this operation.
type StepSkipped struct {
	Operation string `json:"operation"`
	Step      string `json:"step"`
	// Because is the step that failed, empty when the operation was cancelled.
	Because string `json:"because,omitempty"`
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
func (StatusPlanning) Type() string      { return "environment.planning" }
func (StepPlanned) Type() string         { return "step.planned" }
func (StatusPlanned) Type() string       { return "environment.planned" }
func (StatusChecking) Type() string      { return "environment.checking" }
func (ResourceObserved) Type() string    { return "resource.observed" }
func (Updated) Type() string             { return "environment.updating" }
func (StepUnchanged) Type() string       { return "step.unchanged" }
func (Scheduled) Type() string           { return "environment.scheduled" }
func (DestructionAhead) Type() string    { return "environment.destruction-ahead" }
func (DestructionHeld) Type() string     { return "environment.destruction-held" }
func (Paused) Type() string              { return "operation.paused" }
func (Resumed) Type() string             { return "operation.resumed" }
func (Held) Type() string                { return "operation.held" }
func (StepProgress) Type() string        { return "step.progress" }
func (TaskRefused) Type() string         { return "result.refused" }
func (StateSaved) Type() string          { return "step.state" }
func (StatusDestroyed) Type() string     { return "environment.destroyed" }
func (StatusDestroyFailed) Type() string { return "environment.destroy-failed" }
func (Cancelling) Type() string          { return "operation.cancelling" }
func (Finished) Type() string            { return "operation.finished" }
func (StepWaiting) Type() string         { return "step.waiting" }
func (StepRunning) Type() string         { return "step.running" }
func (StepComplete) Type() string        { return "step.complete" }
func (StepQueued) Type() string          { return "step.queued" }
func (StepError) Type() string           { return "step.error" }
func (StepSkipped) Type() string         { return "step.skipped" }

// Public is the fact as subscribers see it: without sealed values that are for later, and without the graph, which can be large
// and is to be had from the API.
func Public(b Body) any {
	if a, is := b.(abridged); is {
		return a.public()
	}
	return b
}

// PublicData is the data of a journal entry as subscribers see it. Most facts say all to everybody, and are not looked into.
func PublicData(typ string, data json.RawMessage) (json.RawMessage, error) {
	if !abridgedTypes[typ] {
		return data, nil
	}
	body, err := DecodeBody(typ, data)
	if err != nil {
		return nil, err
	}
	return json.Marshal(Public(body))
}

type abridged interface{ public() any }

var abridgedTypes = func() map[string]bool {
	types := map[string]bool{}
	for _, b := range Bodies() {
		if _, is := b.(abridged); is {
			types[b.Type()] = true
		}
	}
	return types
}()

func (b Created) public() any { return PublicCreated{Created: b, Steps: len(b.Nodes)} }
func (b Updated) public() any {
	p := PublicUpdated{Updated: b}
	for _, parting := range b.Partings {
		p.Partings = append(p.Partings, parting.Step)
	}
	return p
}

func (b StatusPlanning) public() any {
	return PublicPlanning{StatusPlanning: b, Steps: len(b.Steps)}
}

func (b CommandQueued) public() any {
	b.Data = nil
	return b
}

// PublicUpdated is Updated without the nodes.
type PublicUpdated struct {
	Updated
	Nodes    []Node   `json:"nodes,omitempty"`    // always empty; hides Updated.Nodes
	Partings []string `json:"partings,omitempty"` // steps of Updated.Partings
}

// PublicPlanning is StatusPlanning with the number of its steps instead of the steps.
type PublicPlanning struct {
	StatusPlanning
	Steps int `json:"steps"`
}

// PublicCreated is Created with the number of its nodes instead of the nodes.
type PublicCreated struct {
	Created
	Nodes []Node `json:"nodes,omitempty"` // always empty; hides Created.Nodes
	Steps int    `json:"steps"`
}

// RoutingKey is the key under which an event of an environment is published on the exchange of events:
// environment.<name>.<what happened>, where what happens to the environment itself goes without a prefix.
func RoutingKey(environment, typ string) string {
	const own = "environment."
	if len(typ) > len(own) && typ[:len(own)] == own {
		typ = typ[len(own):]
	}
	if environment == "" {
		environment = "_"
	}
	return own + environment + "." + typ
}
