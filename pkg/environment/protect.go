package environment

import (
	"encoding/json"
	"slices"
	"time"
)

// Protection is what a resource is spared.
type Protection struct {
	// PreventDestroy: an operation that would destroy or replace it is refused.
	PreventDestroy bool `json:"prevent_destroy,omitempty"`
	// Retain: when it would be destroyed it is forgotten, and stays where it is.
	Retain bool `json:"retain,omitempty"`
}

// Lock keeps everything from being done with an environment but looks and plans; what is under way goes on.
type Lock struct {
	Reason string `json:"reason,omitempty"`
	// By is the CloudEvents source of the command.
	By string    `json:"by,omitempty"`
	At time.Time `json:"at"`
}

// Retained is a resource that was left where it is when it would have been destroyed.
type Retained struct {
	Address   string    `json:"address"`
	Identity  string    `json:"identity,omitempty"` // Node.Identity
	Executor  string    `json:"executor"`
	Operation string    `json:"operation"` // that would have destroyed it
	At        time.Time `json:"at"`
}

// ID is the identity of the node that it was.
func (r Retained) ID() string { return Node{Address: r.Address, Identity: r.Identity}.ID() }

// Leftover is a Retained with what its executor needs when the environment has it again.
type Leftover struct {
	Retained
	Inputs    json.RawMessage `json:",omitempty"`
	StateHash string          `json:",omitempty"`
}

// Locked: nothing is done with the environment until it is unlocked.
type Locked struct {
	CommandID   string `json:"command_id"`
	RequestedBy string `json:"requested_by,omitempty"`
	Reason      string `json:"reason,omitempty"`
}

// Unlocked: the lock is gone.
type Unlocked struct {
	CommandID   string `json:"command_id"`
	RequestedBy string `json:"requested_by,omitempty"`
}

// StepRetained: instead of being destroyed, the resource is forgotten, and stays where it is.
type StepRetained struct {
	Operation string `json:"operation"`
	Step      string `json:"step"`
}

// Type is the fact's name.
func (Locked) Type() string { return "environment.locked" }

// Type is the fact's name.
func (Unlocked) Type() string { return "environment.unlocked" }

// Type is the fact's name.
func (StepRetained) Type() string { return "step.retained" }

// retain forgets a resource but for what it takes to have it again.
func (s *State) retain(i int, n *Step, b StepRetained, at time.Time) {
	s.leftover(n.Node)
	s.Retained = append(s.Retained, Leftover{Retained: Retained{Address: n.Address, Identity: n.Identity, Executor: n.Executor, Operation: b.Operation, At: at},
		Inputs: n.Inputs, StateHash: n.StateHash})
	n.Status, n.Exists, n.Outputs, n.Applied, n.StateHash, n.Drift = StatusRetained, false, nil, "", "", nil
	n.FinishedAt = at
	s.dirty.environment = true
	s.end(i, StateComplete)
	s.succeed(i)
}

// leftover takes a node out of what was retained; nil when it is not there.
func (s *State) leftover(n Node) *Leftover {
	at := slices.IndexFunc(s.Retained, func(r Leftover) bool { return r.ID() == n.ID() })
	if at < 0 || n.Type != ResourceNode {
		return nil
	}
	found := s.Retained[at]
	s.Retained = slices.Concat(s.Retained[:at], s.Retained[at+1:])
	return &found
}

// takeBack lets a new node go on from what was retained of it: it bears the same mark.
func (s *State) takeBack(n *Step) {
	if r := s.leftover(n.Node); r != nil {
		n.Exists, n.Inputs, n.StateHash = true, r.Inputs, r.StateHash
	}
}

// KeptStates calls visit for every step of which something is kept for its executor, those that were retained included.
func (s *State) KeptStates(visit func(step, hash string)) {
	for _, n := range s.real() {
		if n.StateHash != "" {
			visit(n.ID(), n.StateHash)
		}
	}
	for _, r := range s.Retained {
		if r.StateHash != "" {
			visit(r.ID(), r.StateHash)
		}
	}
}

func (s *State) retainedList() []Retained {
	var list []Retained
	for _, r := range s.Retained {
		list = append(list, r.Retained)
	}
	return list
}
