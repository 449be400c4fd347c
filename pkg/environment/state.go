package environment

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// State is what the facts of one environment add up to. It is changed by Evolve only, and belongs to one goroutine.
// Exported fields are the state proper, as a snapshot holds it; the others can be derived from them or live for as
// long as the process that holds the state.
type State struct {
	Name        string
	Status      Status // empty before the first Created
	Description string
	Tags        []string
	Templates   []Template
	Parameters  map[string]json.RawMessage
	Given       []string // the parameters that were given; an update keeps them
	Kept        []string `json:",omitzero"` // the parameters that promotions leave alone
	Groups      []Group
	Outputs     json.RawMessage
	Entrypoints []Entrypoint
	DestroyAt   *time.Time
	// Warned is the last warning of it that was given: how long before.
	Warned time.Duration `json:",omitempty"`
	// DestroyHeld is why the planned destruction waits although its time has come.
	DestroyHeld *fault.Error `json:",omitempty"`
	Lock        *Lock        `json:",omitempty"`
	// Pauses are those of groups, in the order of their beginning. They hold until they are taken back, whatever is done meanwhile.
	Pauses []Pause `json:",omitempty"`
	// TemplateStanding is what the templates say of every environment, OwnStanding what was said of this one.
	TemplateStanding Standing `json:",omitzero"`
	OwnStanding      Standing `json:",omitzero"`
	// Next is when its hours come next. Down: they have taken it down, and it is made again.
	Next Appointments `json:",omitzero"`
	Down bool         `json:",omitempty"`
	// Retained are resources of this and former lives that were left where they are.
	Retained  []Leftover `json:",omitempty"`
	Error     *fault.Error
	CreatedAt time.Time
	UpdatedAt time.Time
	Epoch     uint64
	// Nodes in topological order: what a node depends on stands before it.
	Nodes []*Step
	// Operations counts the operations so far, over all lives of the name; their ids are made of it.
	Operations int
	Operation  *Operation
	// Commands holds the outcome of the last commands, so that a second copy gets the same answer.
	Commands []Outcome
	// Queued is the command that waits until nothing is under way.
	Queued *Queued `json:",omitempty"`
	// Sources are the outputs, with the addresses that each comes from.
	Sources map[string][]string `json:",omitempty"`
	// Approvals are the rules in force.
	Approvals []Approval `json:",omitempty"`
	// Plans are those that can be carried out, and Spent the last ones that can't be any more; the oldest stand first.
	Plans []*KeptPlan `json:",omitempty"`
	Spent []SpentPlan `json:",omitempty"`

	index   map[string]int
	known   map[string]int // by identity
	dooming bool           // some node is doomed
	dirty   dirt
}

// Outcome is what became of a command.
type Outcome struct {
	CommandID string
	Command   string
	Operation string
	Error     *fault.Error
}

// Step is a node with what happens to it.
type Step struct {
	Node
	Status Status
	// Operation is the one that the step is or was of; in a later one it takes no part.
	Operation string
	Verb      event.Verb
	State     StepState
	Attempt   int
	Failures  int // reported by an executor; what the retry policy counts
	Losses    int // attempts that nobody accepted, or whose runner was lost, in a row
	Runner    string
	// Exists: something may be there: an apply was offered, and no destroy has proven its absence since.
	Exists       bool
	CreatedBy    string // operation that applies it, or did last
	AcceptBefore time.Time
	NotBefore    time.Time
	StartedAt    time.Time
	FinishedAt   time.Time
	Error        *fault.Error
	Because      string     // the step whose failure skipped this one
	Waiting      ReasonCode // of the last attempt that came to nothing: why it is queued again
	QueuedAt     time.Time  // when it began to wait for a runner; what Expiry counts from
	Progress     *event.Progress
	Inputs       json.RawMessage
	Outputs      json.RawMessage
	// StateHash names what the executor saved last, "" when nothing is kept; it outlives operations. Saves is the number of
	// the last save of the present attempt.
	StateHash string `json:",omitempty"`
	Saves     int    `json:",omitempty"`
	// Offered is the fingerprint of Inputs, and Applied that of the last apply that succeeded.
	Offered, Applied string `json:",omitempty"`
	// Stale: an update has begun that may change it, and has not come to it.
	Stale bool `json:",omitempty"`
	// Due: something that this action comes after was applied in an update, or this resource is to be healed, so it has to be
	// applied whatever it would be given.
	Due bool `json:",omitempty"`
	// Doomed: the templates do not have it any more, so an update destroys it and then forgets it. It stands behind all
	// that stay.
	Doomed bool `json:",omitempty"`
	// Parting is what a doomed action is given that runs before what it depends on is destroyed; nil for all else.
	Parting *Parting `json:",omitempty"`
	// Down: it was destroyed with its group, or with what it stands on, and an update makes it again.
	Down bool `json:",omitempty"`
	// Stands is what the node really stands on where that is not DependsOn: an update has changed that, and the node has
	// not been applied since, or not to the end. It holds still while an operation runs.
	Stands []string `json:",omitzero"`
	// Endpoint is that of the last validation, and Health how it stands since; nil where nothing is watched.
	Endpoint *event.Endpoint
	Health   *EndpointHealth
	// Drift is what the last look has found, nil when there was none since the last apply.
	Drift *Drift `json:",omitempty"`
	// Doubt is there while it is not known whether the attempt was done that was in flight when its side was lost. It outlives
	// operations. Looking: the attempt that is under way only finds that out.
	Doubt   *Doubt `json:",omitempty"`
	Looking bool   `json:",omitempty"`
	// Adopt is what an apply takes over instead of making it; nil once it has.
	Adopt *event.Adoption `json:",omitempty"`
	// Heals counts how often it was applied by itself since a command did, and HealedAt is when it was last. GaveUp: that was
	// too often.
	Heals    int       `json:",omitempty"`
	HealedAt time.Time `json:",omitzero"`
	GaveUp   bool      `json:",omitempty"`
	// Proposes and Unknown are of a step of a plan: what its executor is asked for, and which inputs are not known yet.
	Proposes event.Verb          `json:",omitempty"`
	Unknown  map[string][]string `json:",omitempty"`
	// Asked is what its executor says of a step that a kept plan could not show in full, while that is carried out.
	Asked *Asked `json:",omitempty"`
	// Unmet counts the steps of the operation that have to end before this one.
	Unmet int

	depends    []int // DependsOn: the order of applying
	dependents []int
	stands     []int // Stands, or else DependsOn: the order of destroying
	standers   []int
	partsFrom  []int // what an action that runs before it goes depends on besides, since an update that failed
	parters    []int
	// leaseUntil is when the attempt in flight counts as lost: pushed on by heartbeats once it runs, set by a refusal while
	// it waits. It is no part of the state: a server that loads the state grants anew.
	leaseUntil time.Time
}

// Operation is one thing that is done with the environment as a whole, or with an action of it.
type Operation struct {
	ID          string
	Kind        OperationKind
	Status      OperationStatus
	CommandID   string
	RequestedBy string
	FailFast    bool
	Force       bool     // only of a destroy
	Heals       bool     `json:",omitempty"` // by itself
	Groups      []string `json:",omitempty"` // the groups that a destroy, a retry or a redeploy is of; of all else, nil
	Hours       bool     `json:",omitempty"` // a destroy after which the environment is made again by itself
	// Undone is the destroy that failed before an operation which changes nothing, and that a retry goes on with.
	Undone      *Undone `json:",omitempty"`
	Parallelism int
	Validating  bool
	Paused      bool
	Pause       *Pause `json:",omitempty"` // who has paused it; of those that were before that was kept, nil
	Reason      string
	Origin      *Origin      `json:",omitempty"`
	Before      Status       // of the environment, where it will be that again
	Error       *fault.Error // of the first step that failed
	StartedAt   time.Time
	FinishedAt  time.Time
	// Remaining counts the steps of the present phase that have not ended.
	Remaining int
	// Ready holds the steps that may run, in the order in which they became so; Delayed those that wait for a backoff.
	Ready   []int
	Delayed []int
	// Flight holds the steps that are waiting or running, in the order of their offers.
	Flight []int
	Counts map[StepState]int
	// Holds says why steps of an executor in a pool are not offered, by holdKey.
	Holds map[string]Held
	// Plan is what an operation of kind plan has found so far, and Aside the environment's own nodes while it runs.
	Plan  *PlanRecord `json:",omitempty"`
	Aside []*Step     `json:",omitzero"`
	// Makes is the plan that such an operation will leave to be carried out, and Executes the one that this operation carries
	// out.
	Makes    *KeptPlan `json:",omitempty"`
	Executes *KeptPlan `json:",omitempty"`
	// Order is the command that a plan is made for, and Awaits the approval that it waits for. Rules are those that were in force
	// when an operation began that carries a plan out.
	Order  *Order     `json:",omitempty"`
	Awaits *Awaits    `json:",omitempty"`
	Rules  []Approval `json:",omitempty"`
	// Refusals counts the TaskRefused facts: a runner gone wild must not fill the journal.
	Refusals int
}

// maxCommands bounds how many outcomes a state remembers: the older ones are in the journal only.
const maxCommands = 256

// NewState is the state of a name of which nothing is known.
func NewState(name string) *State { return &State{Name: name, index: map[string]int{}} }

// Busy tells whether an operation is under way.
func (s *State) Busy() bool { return s.Operation != nil && s.Operation.FinishedAt.IsZero() }

// Exists tells whether there is an environment: created, and not destroyed. One that is being planned counts.
func (s *State) Exists() bool { return s.Status.exists() }

func (s Status) exists() bool { return s != "" && s != Destroyed && s != Planned }

// Step finds a step by its node's address, nil when there is none.
func (s *State) Step(address string) *Step {
	if i, ok := s.index[address]; ok {
		return s.Nodes[i]
	}
	return nil
}

// OutputsOf gives the recorded outputs of a node, in the form that resolvers ask for.
func (s *State) OutputsOf(address string) (json.RawMessage, bool) {
	n := s.Step(address)
	if n == nil || n.Outputs == nil {
		return nil, false
	}
	return n.Outputs, true
}

// Snapshot writes the state; Restore reads it.
func (s *State) Snapshot() ([]byte, error) { return json.Marshal(s) }

// Restore is the inverse of Snapshot.
func Restore(data []byte) (*State, error) {
	s := &State{}
	if err := json.Unmarshal(data, s); err != nil {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	s.Outputs = present(s.Outputs)
	nodes := s.Nodes
	if s.aside() {
		nodes = slices.Concat(nodes, s.Operation.Aside)
	}
	for _, n := range nodes {
		n.Inputs, n.Outputs = present(n.Inputs), present(n.Outputs)
	}
	if err := s.link(); err != nil {
		return nil, fmt.Errorf("snapshot of %s: %w", s.Name, err)
	}
	return s, nil
}

// present makes what was nothing when it was written nothing again.
func present(m json.RawMessage) json.RawMessage {
	if string(m) == "null" {
		return nil
	}
	return m
}

// link derives the index and both directions of the edges.
func (s *State) link() error {
	s.index, s.known, s.dooming = make(map[string]int, len(s.Nodes)), make(map[string]int, len(s.Nodes)), false
	for i, n := range s.Nodes {
		s.index[n.Address], s.known[n.ID()] = i, i
		n.depends, n.dependents, n.stands, n.standers, n.partsFrom, n.parters = nil, nil, nil, nil, nil, nil
	}
	for i, n := range s.Nodes {
		s.dooming = s.dooming || n.Doomed
		on := n.Stands
		if on == nil {
			on = n.DependsOn
		}
		var err error
		if n.stands, err = s.places(n, on); err != nil {
			return err
		}
		for _, d := range n.stands {
			s.Nodes[d].standers = append(s.Nodes[d].standers, i)
		}
		if n.Doomed {
			continue // nothing waits until it is applied
		}
		if n.depends = n.stands; n.Stands != nil {
			if n.depends, err = s.places(n, n.DependsOn); err != nil {
				return err
			}
		}
		for _, d := range n.depends {
			if d >= i {
				return fmt.Errorf("%s depends on %s, which does not stand before it", n.Address, s.Nodes[d].Address)
			}
			s.Nodes[d].dependents = append(s.Nodes[d].dependents, i)
		}
	}
	s.linkFarewells()
	return nil
}

func (s *State) places(n *Step, addresses []string) ([]int, error) {
	list := make([]int, len(addresses))
	for i, address := range addresses {
		d, ok := s.index[address]
		if !ok {
			return nil, fmt.Errorf("%s depends on %s, which is not there", n.Address, address)
		}
		list[i] = d
	}
	return list, nil
}

// before lists the steps that have to end before step i, after those that wait for it, in the operation's direction. In a
// destroy everything waits for what stands on it, and so does a doomed node in an update; what stays waits for what it
// depends on. No node that stays waits for a doomed one, so there is no circle.
func (s *State) before(i int) []int {
	n := s.Nodes[i]
	switch {
	case s.Operation.Kind == DestroyOperation:
		return joined(n.standers, n.parters)
	case n.Doomed:
		return joined(n.standers, n.parters)
	}
	return n.depends
}

func (s *State) after(i int) []int {
	n := s.Nodes[i]
	if s.Operation.Kind == DestroyOperation {
		return joined(n.stands, n.partsFrom)
	}
	if !s.dooming {
		return n.dependents
	}
	doomed := slices.DeleteFunc(slices.Concat(n.stands, n.partsFrom), func(d int) bool { return !s.Nodes[d].Doomed })
	if n.Doomed {
		return doomed
	}
	return slices.Concat(n.dependents, doomed)
}

// Knows tells whether a command was taken or rejected before.
func (s *State) Knows(commandID string) bool { return s.outcome(commandID) != nil }

// outcome finds what became of a command, nil when it is not known.
func (s *State) outcome(id string) *Outcome {
	for i := len(s.Commands) - 1; i >= 0; i-- {
		if s.Commands[i].CommandID == id {
			return &s.Commands[i]
		}
	}
	return nil
}

func (s *State) remember(o Outcome) {
	if o.CommandID == "" {
		return
	}
	if s.waits(o.CommandID) {
		s.Queued = nil // it has begun, or it was rejected
	}
	if len(s.Commands) >= maxCommands {
		s.Commands = append(s.Commands[:0], s.Commands[1:]...)
	}
	s.Commands = append(s.Commands, o)
}

// Wake is when the next backoff passes after a time, zero when none does. Leases and offers need no more than a tick
// now and then.
func (s *State) Wake(after time.Time) time.Time {
	var first time.Time
	s.delayed(func(t time.Time) {
		if t.After(after) && (first.IsZero() || t.Before(first)) {
			first = t
		}
	})
	return first
}

// Due tells whether a backoff has passed.
func (s *State) Due(now time.Time) (due bool) {
	s.delayed(func(t time.Time) { due = due || !t.After(now) })
	return due
}

func (s *State) delayed(visit func(time.Time)) {
	if s.Busy() {
		for _, i := range s.Operation.Delayed {
			visit(s.Nodes[i].NotBefore)
		}
	}
}

// InFlight calls visit for every step that is waiting or running.
func (s *State) InFlight(visit func(*Step)) {
	if !s.Busy() {
		return
	}
	for _, i := range s.Operation.Flight {
		visit(s.Nodes[i])
	}
}
