package environment

import (
	"encoding/json"
	"time"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Input is something that the decider has to decide on: one of the types below.
type Input interface{ input() }

// CommandMeta says which command an input comes from.
type CommandMeta struct {
	CommandID   string
	RequestedBy string // CloudEvents source
}

// CreateInput is environment.create, its templates resolved.
type CreateInput struct {
	CommandMeta
	event.Create
	Resolved
	Origin *Origin
	// Executes is the plan that is carried out; nil for the command itself. So it is with the two below.
	Executes *KeptPlan
	Adopts   Adoptions // nil unless environment.adopt is behind it
}

// Resolved is what templates and parameters gave.
type Resolved struct {
	Nodes       []Node // topological order
	Templates   []Template
	Parameters  map[string]json.RawMessage // effective; sensitive ones sealed
	Given       []string                   // names of those that were given, not taken from a default; sorted
	Groups      []Group
	Moves       []Move     // what moved blocks say; chains in their order
	Parallelism int        // the templates' own bound, 0 for none
	Approvals   []Approval // what the templates ask for
	// Changed are the parameters whose value in force becomes another; of an environment that is not there yet, nil.
	Changed []ParameterChange
	// Sources are the outputs that the environment is to have, with the addresses that each comes from.
	Sources map[string][]string
	// Lifetime that the templates give an environment that has none of its own, "" for none.
	Lifetime string
	Standing
}

// UpdateInput is environment.update, its templates resolved with the parameters that are to be in force.
type UpdateInput struct {
	CommandMeta
	event.Update
	Resolved
	Origin   *Origin
	Kept     []string // of a promotion (Promote.Keep)
	Executes *KeptPlan
	Adopts   Adoptions // nil unless environment.adopt is behind it
}

// ScheduleInput is environment.schedule.
type ScheduleInput struct {
	CommandMeta
	event.Schedule
}

// DestroyInput is environment.destroy.
type DestroyInput struct {
	CommandMeta
	event.Destroy
	Executes *KeptPlan
}

// CancelInput is environment.cancel.
type CancelInput struct {
	CommandMeta
	event.Cancel
}

// RetryInput is environment.retry, PauseInput environment.pause, ResumeInput environment.resume.
type (
	RetryInput struct {
		CommandMeta
		event.Retry
		executes *KeptPlan // as in RedeployInput
	}
	PauseInput struct {
		CommandMeta
		event.Pause
	}
	ResumeInput struct {
		CommandMeta
		event.Resume
	}
)

// RunInput is environment.run.
type RunInput struct {
	CommandMeta
	event.Run
}

// LockInput is environment.lock, UnlockInput environment.unlock.
type (
	LockInput struct {
		CommandMeta
		event.Lock
	}
	UnlockInput struct{ CommandMeta }
)

// CheckInput is environment.check.
type CheckInput struct {
	CommandMeta
	event.Check
}

// PlanInput is environment.plan, its templates resolved but for a destroy.
type PlanInput struct {
	CommandMeta
	event.Proposal
	Resolved
	Origin *Origin
	order  *Order // the command that the plan is made for; nil where a plan was asked for
	// redeploys are the groups that would be applied again, and then nothing else but what that changes.
	redeploys []string
	// part are the nodes that a destroy or a retry would be of alone; nil: all.
	part []string
}

// RejectInput is a command that was found wanting before it came to the decider: its data or its templates are wrong.
type RejectInput struct {
	CommandMeta
	Command string
	Error   *fault.Error
}

// AcceptedInput, RefusedInput, ResultInput and HeartbeatInput are what runners say.
type (
	AcceptedInput  struct{ event.Accepted }
	RefusedInput   struct{ event.Refused }
	ResultInput    struct{ event.Result }
	HeartbeatInput struct {
		Runner string
		event.TaskRef
		Progress *event.Progress // nil: nothing new
	}
)

// StateInput: a runner has saved what a step's executor has to know the next time; no Hash: there is nothing any more.
type StateInput struct {
	event.TaskRef
	Runner string
	Number int // event.State.Number
	StateRef
}

// RunnerStartedInput: the runner of this name begins anew as Runner; what an earlier one of the name held is lost.
type RunnerStartedInput struct{ Name, Runner string }

// TickInput lets time pass.
type TickInput struct{}

func (CreateInput) input()        {}
func (UpdateInput) input()        {}
func (ScheduleInput) input()      {}
func (DestroyInput) input()       {}
func (CancelInput) input()        {}
func (RetryInput) input()         {}
func (PauseInput) input()         {}
func (ResumeInput) input()        {}
func (RunInput) input()           {}
func (LockInput) input()          {}
func (UnlockInput) input()        {}
func (CheckInput) input()         {}
func (PlanInput) input()          {}
func (ApplyInput) input()         {}
func (RejectInput) input()        {}
func (AcceptedInput) input()      {}
func (RefusedInput) input()       {}
func (ResultInput) input()        {}
func (HeartbeatInput) input()     {}
func (StateInput) input()         {}
func (RunnerStartedInput) input() {}
func (TickInput) input()          {}

// Resolver evaluates what is known only once other nodes have outputs. It is pure: the same recorded outputs give the
// same answer (sealing aside). A plan of pkg/plan is one.
type Resolver interface {
	Inputs(address string, outputs func(string) (json.RawMessage, bool)) (Inputs, error)
	// Proposal is Inputs where some outputs are not known yet: what they would decide is null, and named in Inputs.Unknown.
	Proposal(address string, outputs func(string) (json.RawMessage, bool)) (Inputs, error)
	Endpoint(address string, outputs func(string) (json.RawMessage, bool)) (*event.Endpoint, error)
	Outputs(outputs func(string) (json.RawMessage, bool)) (json.RawMessage, error)
	Entrypoints(outputs func(string) (json.RawMessage, bool)) ([]Entrypoint, error)
}

// Inputs are what an executor would be given.
type Inputs struct {
	Data json.RawMessage // secrets sealed
	// Fingerprint is the same for two that an executor could not tell apart, files and kind included, and tells nothing of
	// secrets. Empty: it can't be compared.
	Fingerprint string
	// Unknown are the parts of Data that are not known yet, by their paths, and the nodes that each waits for.
	Unknown map[string][]string
}

// Pool is what is known of the runners of a pool that have one executor.
type Pool struct {
	// Runners that are heard, and how many tasks they run at once in all.
	Runners     int
	Concurrency int
	// Open is the breaker that all of these runners have open, nil when one of them can work.
	Open *event.Breaker
}

// Surroundings is what decides beside the state: how to evaluate, and who is there to work. It is asked only where a
// step could be offered, so what it answers is in the facts.
type Surroundings struct {
	Resolver Resolver
	// Before evaluates by the templates that the environment has, where Resolver goes by those that it is to have; nil: as Resolver.
	Before Resolver
	// Pool tells about runners; nil when nothing is known of any, and then everything is offered. Without an executor it counts all
	// runners of the pool.
	Pool func(pool, executor string) Pool
	// Hold is why nothing may be offered now, nil when it may: another side may still be acting.
	Hold *Reason
	// State tells whether a step's state (Step.StateHash) can be had, before the step is offered: without it, the executor
	// would make again what is there. The error fails the step. nil when all can be had.
	State func(identity, hash string) error
	// Consumed tells about an output of another environment; nil: nothing is known of any, and what uses one waits.
	Consumed func(environment, output string) Supply
	// Again resolves what a kept plan was made of. When what is decided begins to carry that out, Resolver evaluates it from
	// then on. nil when nothing can be carried out.
	Again func(KeptPlan) (Resolved, error)
	// Lacks is why the templates can't be evaluated here for as long as the server is what it is, nil when they can; nil: they always can.
	Lacks func() *Reason
	// Uses tells which nodes of other environments use outputs of one, in the order of Consumer.Compare; nil: none is known.
	Uses func(environment string) []Consumer
}

// Policy holds the decider's bounds. The zero value of a field takes the default.
type Policy struct {
	AcceptWithin time.Duration // an offer holds this long; 15 s
	LapseMargin  time.Duration // and is taken back this much later, for clocks that differ; 2 s
	RefusalGrace time.Duration // after a refusal, until it is sure that nobody else had started; 3 s
	Lease        time.Duration // a runner that is not heard for this long is lost; 20 s
	Parallelism  int           // steps at once in one environment; 100
	Attempts     int           // of a resource without a retry block; 3 (an action's is 1)
	Backoff      time.Duration // before the second attempt, doubled with each; 1 s
	MaxBackoff   time.Duration // 1 min
	MaxLosses    int           // attempts in a row that no runner finished, before the step fails; 10
	// Warnings are how long before a planned destruction it is announced; a day and an hour. Empty but not nil: never.
	Warnings []time.Duration
	PlanFor  time.Duration // a plan can be carried out for this long; a day
	Epoch    uint64        // of the cluster; what carries a lower one is refused
	// OnlyLooks: of steps only those that are in doubt are offered, to be looked at; it is a drill.
	OnlyLooks bool
}

// WithDefaults fills in what is zero.
func (p Policy) WithDefaults() Policy {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	num := func(n *int, v int) {
		if *n == 0 {
			*n = v
		}
	}
	def(&p.AcceptWithin, 15*time.Second)
	def(&p.LapseMargin, 2*time.Second)
	def(&p.RefusalGrace, 3*time.Second)
	def(&p.Lease, 20*time.Second)
	num(&p.Parallelism, 100)
	num(&p.Attempts, 3)
	def(&p.Backoff, time.Second)
	def(&p.MaxBackoff, time.Minute)
	num(&p.MaxLosses, 10)
	def(&p.PlanFor, 24*time.Hour)
	if p.Warnings == nil {
		p.Warnings = []time.Duration{24 * time.Hour, time.Hour}
	}
	return p
}
