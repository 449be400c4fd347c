package event

import (
	"encoding/json"
	"time"

	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Names of the commands: routing key on the exchange of commands, and, between TypePrefix and TypeSuffix,
// CloudEvents type.
const (
	EnvironmentCreate   = "environment.create"
	EnvironmentUpdate   = "environment.update"
	EnvironmentDestroy  = "environment.destroy"
	EnvironmentSchedule = "environment.schedule"
	EnvironmentCancel   = "environment.cancel"
	EnvironmentRetry    = "environment.retry"
	EnvironmentPause    = "environment.pause"
	EnvironmentResume   = "environment.resume"
	EnvironmentRun      = "environment.run"
	EnvironmentCheck    = "environment.check"
	EnvironmentPlan     = "environment.plan"
	EnvironmentLock     = "environment.lock"
	EnvironmentUnlock   = "environment.unlock"
	EnvironmentApply    = "environment.apply"
)

// Commands are the names of all commands.
func Commands() []string {
	return []string{EnvironmentCreate, EnvironmentUpdate, EnvironmentSchedule, EnvironmentDestroy, EnvironmentCancel, EnvironmentRetry, EnvironmentPause, EnvironmentResume, EnvironmentRun, EnvironmentCheck, EnvironmentPlan, EnvironmentLock, EnvironmentUnlock,
		EnvironmentSettle, EnvironmentRollback, EnvironmentClone, EnvironmentPromote, EnvironmentApply, EnvironmentAdopt, EnvironmentRedeploy, OperationApprove, OperationReject}
}

// Create is the data of environment.create. Only Templates is required.
type Create struct {
	// Templates are name@version, or name alone for the newest version.
	Templates []string `json:"templates" jsonschema:"minItems=1"`
	// Parameters by name; those that two templates share are given to both.
	Parameters  map[string]json.RawMessage `json:"parameters,omitempty"`
	Description string                     `json:"description,omitempty" jsonschema:"maxLength=4096"`
	Tags        []string                   `json:"tags,omitempty" jsonschema:"maxItems=64"`
	// DestroyAt is when the environment is to be destroyed by itself.
	DestroyAt *time.Time `json:"destroy_at,omitempty"`
	// Lifetime, such as "72h", says the same from now on; "0s" is for ever, whatever the templates say. Without either, the
	// templates' own lifetime counts.
	Lifetime string `json:"lifetime,omitempty"`
	// Approval is the environment's own rule, beside those of its templates; left out, it stays as it is.
	Approval *Approval `json:"approval,omitempty"`
	// FailFast cancels what still runs at the first failure, instead of letting it finish.
	FailFast bool `json:"fail_fast,omitempty"`
	// Parallelism bounds how many steps run at once; 0 takes the server's limit, which also bounds it.
	Parallelism int `json:"parallelism,omitempty" jsonschema:"minimum=0"`
}

// Update is the data of environment.update. What is left out stays as it is.
type Update struct {
	// Templates are name@version, or name alone for the newest version; all that the environment is to be made of. Left out,
	// the templates stay as they were when the environment was made or last updated, whatever the catalogue has now.
	Templates []string `json:"templates,omitempty" jsonschema:"minItems=1"`
	// Parameters by name, beside those that were given before; null takes one back to its default.
	Parameters  map[string]json.RawMessage `json:"parameters,omitempty"`
	Description *string                    `json:"description,omitempty" jsonschema:"maxLength=4096"`
	Tags        []string                   `json:"tags,omitempty" jsonschema:"maxItems=64"`
	// DestroyAt is when the environment is to be destroyed by itself.
	DestroyAt *time.Time `json:"destroy_at,omitempty"`
	// Lifetime, such as "72h", says the same from now on; "0s" is for ever.
	Lifetime string `json:"lifetime,omitempty"`
	// Heal applies again, besides, what the last check found gone or other than it was left.
	Heal bool `json:"heal,omitempty"`
	// DespiteConsumers takes away outputs although other environments use them.
	DespiteConsumers bool `json:"despite_consumers,omitempty"`
	// WhenBusy is what is done while an operation is under way: "refuse", the default, or "queue", which lets the command wait until
	// that has ended, however it went. It is resolved then. One command waits at most: a later one takes its place, and it is rejected.
	WhenBusy string `json:"when_busy,omitempty" jsonschema:"enum=refuse,enum=queue"`
	// Approval is the environment's own rule, beside those of its templates; left out, it stays as it is.
	Approval *Approval `json:"approval,omitempty"`
	// FailFast cancels what still runs at the first failure, instead of letting it finish.
	FailFast bool `json:"fail_fast,omitempty"`
	// Parallelism bounds how many steps run at once; 0 takes the server's limit, which also bounds it.
	Parallelism int `json:"parallelism,omitempty" jsonschema:"minimum=0"`
}

// Destroy is the data of environment.destroy.
type Destroy struct {
	// Force goes on destroying what a failed destroy depends on, and waits for no other environment and for no group that is paused.
	// It says nothing of those who use this one: see DespiteConsumers.
	Force bool `json:"force,omitempty"`
	// DespiteConsumers destroys it although other environments use what it puts out.
	DespiteConsumers bool `json:"despite_consumers,omitempty"`
	// WhenBusy is Update.WhenBusy.
	WhenBusy string `json:"when_busy,omitempty" jsonschema:"enum=refuse,enum=queue"`
	// FailFast cancels what still runs at the first failure.
	FailFast bool `json:"fail_fast,omitempty"`
	// Groups are those that are destroyed alone; left out, all is. An update makes them again.
	Groups []string `json:"groups,omitempty" jsonschema:"minItems=1"`
	// Cascade destroys besides what stands on these groups.
	Cascade bool `json:"cascade,omitempty"`
}

// Cancel is the data of environment.cancel.
type Cancel struct {
	Reason string `json:"reason,omitempty" jsonschema:"maxLength=4096"`
	// Queued drops the command that waits until what is under way has ended; that itself goes on.
	Queued bool `json:"queued,omitempty"`
}

// Retry is the data of environment.retry: what failed, and what depends on it, is tried again.
type Retry struct {
	// Groups are those of which it is tried again; left out, it is all that failed.
	Groups []string `json:"groups,omitempty" jsonschema:"minItems=1"`
	// FailFast cancels what still runs at the first failure.
	FailFast bool `json:"fail_fast,omitempty"`
}

// Pause is the data of environment.pause: what runs goes on, nothing new is started.
type Pause struct {
	// Groups are those that are paused, in this operation and in all that follow, until they are resumed; left out, it is the
	// operation that is under way.
	Groups []string `json:"groups,omitempty" jsonschema:"minItems=1"`
	// Reason is told where somebody asks why a step waits.
	Reason string `json:"reason,omitempty" jsonschema:"maxLength=4096"`
}

// Resume is the data of environment.resume.
type Resume struct {
	// Groups are those that go on; left out, it is the operation that is under way.
	Groups []string `json:"groups,omitempty" jsonschema:"minItems=1"`
}

// Run is the data of environment.run: an action that runs on demand is run.
type Run struct {
	// Action is its address, such as notes.action.backup, or its name where no other action of the environment has that.
	Action string `json:"action" jsonschema:"minLength=1"`
}

// Check is the data of environment.check: resources are observed, and nothing is changed.
type Check struct {
	// Resources are the addresses of those that are looked at; left out, all that are there.
	Resources []string `json:"resources,omitempty" jsonschema:"minItems=1"`
}

// Lock is the data of environment.lock: until it is unlocked, nothing is done with the environment.
type Lock struct {
	// Reason is told to those whose commands are refused.
	Reason string `json:"reason,omitempty" jsonschema:"maxLength=4096"`
}

// Unlock is the data of environment.unlock.
type Unlock struct{}

// Proposal is the data of environment.plan: what an update, a create where there is no environment, or a destroy would
// change. Nothing is changed.
type Proposal struct {
	// Templates are name@version, or name alone for the newest version; left out, they are as they were. An environment that
	// is not there yet needs some.
	Templates []string `json:"templates,omitempty" jsonschema:"minItems=1"`
	// Parameters by name, beside those that were given before; null takes one back to its default.
	Parameters map[string]json.RawMessage `json:"parameters,omitempty"`
	// Destroy plans a destroy; templates and parameters are then of no use.
	Destroy bool `json:"destroy,omitempty"`
	// Heal plans an update that heals (Update.Heal).
	Heal bool `json:"heal,omitempty"`
	// Revision plans a rollback to it. With From, it is a revision of the other environment.
	Revision int `json:"revision,omitempty" jsonschema:"minimum=0"`
	// From plans a promotion of what another environment is, or a clone of it where there is no environment yet.
	From string `json:"from,omitempty"`
	// Adopt is Adopt.Resources.
	Adopt map[string]json.RawMessage `json:"adopt,omitempty"`
	// Keep is Promote.Keep.
	Keep []string `json:"keep,omitzero"`
}

// AnswerType is the CloudEvents type of the answer to a command, sent to its reply_to.
const AnswerType = TypePrefix + "command.answer" + TypeSuffix

// Answer is the data of the answer. It is sent once the outcome is journalled.
type Answer struct {
	CommandID   string `json:"command_id"`
	Command     string `json:"command"`
	Environment string `json:"environment,omitempty"`
	Accepted    bool   `json:"accepted"`
	Operation   string `json:"operation,omitempty"`
	// Queued: it begins when what is under way has ended. It has no operation yet.
	Queued bool         `json:"queued,omitempty"`
	Error  *fault.Error `json:"error,omitempty"`
	// Duplicate: the command had been taken before; this is the same answer again.
	Duplicate bool `json:"duplicate,omitempty"`
}
