package environment

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/vivarium-env/vivarium/pkg/event"
)

// Bounds of what is kept of an environment's plans.
const (
	mostKept       = 5        // plans that can be carried out
	mostSpent      = 20       // of which it is remembered why they can't be
	mostSavedBytes = 64 << 20 // of what executors have saved for one plan, sealed
)

// KeptPlan is a plan that can be carried out, for as long as nothing else changes the environment. It belongs to its State.
type KeptPlan struct {
	Operation   string // that made it; its id is the plan's
	RequestedBy string
	Create      bool                       `json:",omitempty"` // there was no environment
	Destroy     bool                       `json:",omitempty"`
	Heal        bool                       `json:",omitempty"`
	Redeploys   []string                   `json:",omitempty"`
	Part        []string                   `json:",omitzero"` // what a destroy or a retry of groups takes; nil: it is of all
	Templates   []Template                 `json:",omitempty"`
	Parameters  map[string]json.RawMessage `json:",omitempty"` // sensitive ones sealed
	Given       []string                   `json:",omitzero"`
	Origin      *Origin                    `json:",omitempty"`
	Keep        []string                   `json:",omitempty"` // of a promotion
	Until       time.Time
	Steps       []KeptStep `json:",omitempty"`
	// Flaw is why it can't be carried out although it was made.
	Flaw string `json:",omitempty"`

	index map[string]int
}

// KeptStep is what a plan has shown of one node, as far as carrying it out has to know.
type KeptStep struct {
	Address     string
	Type        NodeType
	Proposes    event.Verb
	Change      event.Change
	Shown       []Shown   `json:",omitempty"`
	Omitted     int       `json:",omitempty"`
	Fingerprint string    `json:",omitempty"` // "" where some inputs were not known
	Saved       *StateRef `json:",omitempty"`
}

// Shown is a difference without its values.
type Shown struct {
	Path   string
	Change event.Change
}

// SpentPlan is a plan that can't be carried out any more.
type SpentPlan struct {
	Operation string
	By        string `json:",omitempty"` // the operation that has carried it out
	Why       string
}

// SavedPlan names what an executor has saved to do exactly what a plan shows.
type SavedPlan struct {
	Operation string `json:"operation"` // in which it was saved
	StateRef
}

// Place is where that is kept among the states of the environment's steps; no node has such an address.
func (p SavedPlan) Place(step string) string { return "plan/" + p.Operation + "/" + step }

func (k *KeptPlan) id() string {
	if k == nil {
		return ""
	}
	return k.Operation
}

// step finds what was shown of a node, nil when nothing was.
func (k *KeptPlan) step(address string) *KeptStep {
	if k.index == nil {
		k.index = make(map[string]int, len(k.Steps))
		for i, step := range k.Steps {
			k.index[step.Address] = i
		}
	}
	if i, ok := k.index[address]; ok {
		return &k.Steps[i]
	}
	return nil
}

// KeptPlan finds a plan that can be carried out by the id of its operation, nil when there is none.
func (s *State) KeptPlan(operation string) *KeptPlan {
	for _, k := range s.Plans {
		if operation != "" && k.Operation == operation {
			return k
		}
	}
	return nil
}

// SavedPlans are what is kept of executors' saved plans, by their places: hashes.
func (s *State) SavedPlans() map[string]string {
	found := map[string]string{}
	add := func(k *KeptPlan) {
		if k == nil {
			return
		}
		for _, step := range k.Steps {
			if step.Saved != nil {
				found[SavedPlan{Operation: k.Operation}.Place(step.Address)] = step.Saved.Hash
			}
		}
	}
	for _, k := range s.Plans {
		add(k)
	}
	if s.Operation == nil {
		return found
	}
	add(s.Operation.Makes)
	add(s.Operation.Executes)
	for _, n := range s.Nodes {
		if n.Asked != nil && n.Asked.Saved != nil {
			found[SavedPlan{Operation: s.Operation.ID}.Place(n.Address)] = n.Asked.Saved.Hash
		}
	}
	return found
}

// Released are the places of saved plans that nobody needs any more since this was last asked.
func (s *State) Released() []string {
	places := s.dirty.released
	s.dirty.released = nil
	return places
}

func (s *State) letGo(operation, step string) {
	s.dirty.released = append(s.dirty.released, SavedPlan{Operation: operation}.Place(step))
}

func (s *State) releaseAll(k *KeptPlan) {
	for _, step := range k.Steps {
		if step.Saved != nil {
			s.letGo(k.Operation, step.Address)
		}
	}
}

// spend remembers why a plan can't be carried out any more.
func (s *State) spend(p SpentPlan) {
	s.Spent = append(s.Spent, p)
	if more := len(s.Spent) - mostSpent; more > 0 {
		s.Spent = slices.Delete(s.Spent, 0, more)
	}
}

// overtake ends what the present operation makes out of date: all that was planned before it, if it changes anything.
func (s *State) overtake() {
	o := s.Operation
	if o.Kind.looks() {
		return
	}
	for _, k := range s.Plans {
		if k == o.Executes {
			s.spend(SpentPlan{Operation: k.Operation, By: o.ID})
			continue
		}
		s.void(k, fmt.Sprintf("operation %s (%s) has changed the environment since", o.ID, o.Kind))
	}
	s.Plans = nil
}

func (s *State) void(k *KeptPlan, why string) {
	s.spend(SpentPlan{Operation: k.Operation, Why: why})
	s.releaseAll(k)
}

// voidAll ends all plans: something is not as it was when they were made.
func (s *State) voidAll(why string) {
	for _, k := range s.Plans {
		s.void(k, why)
	}
	s.Plans = nil
}

func (s *State) plansLapsed(b PlansLapsed) {
	s.Plans = slices.DeleteFunc(s.Plans, func(k *KeptPlan) bool {
		gone := slices.Contains(b.Plans, k.Operation)
		if gone {
			s.void(k, "its time was up at "+k.Until.Format(time.RFC3339))
		}
		return gone
	})
}

// keepStep takes what was told of a step into the plan that is being made.
func (s *State) keepStep(n *Step, b StepPlanned) {
	m := s.Operation.Makes
	if m == nil {
		return // began under a version that kept none
	}
	step := KeptStep{Address: n.Address, Type: n.Type, Proposes: n.Proposes, Change: b.Plan.Change, Omitted: b.Plan.Omitted, Fingerprint: n.Offered, Saved: b.Saved}
	for _, d := range b.Plan.Differences {
		step.Shown = append(step.Shown, Shown{Path: d.Path, Change: d.Change})
	}
	m.Steps = append(m.Steps, step)
	if b.Unkept > 0 && m.Flaw == "" {
		m.Flaw = fmt.Sprintf("what the executor of %s has saved for it is too large to be kept (%d bytes; %d for a step and %d for a plan are possible)",
			n.Address, b.Unkept, event.MaxState, mostSavedBytes)
	}
}

// keepPlan is the end of the making of a plan.
func (s *State) keepPlan(b StatusPlanned) {
	o := s.Operation
	k := o.Makes
	if k == nil {
		return
	}
	o.Makes = nil
	switch {
	case o.Status != OperationSucceeded:
		s.void(k, "it was not made to the end: it is "+string(o.Status))
	case b.Until == nil:
		s.void(k, k.Flaw)
	default:
		k.Until = *b.Until
		s.Plans = append(s.Plans, k)
		if len(s.Plans) > mostKept {
			s.void(s.Plans[0], fmt.Sprintf("%d newer ones were made, and no more are kept", mostKept))
			s.Plans = slices.Delete(s.Plans, 0, 1)
		}
	}
}

// letGoOfPlan is the end of carrying one out.
func (s *State) letGoOfPlan() {
	k := s.Operation.Executes
	if k == nil {
		return
	}
	s.releaseAll(k)
	s.Operation.Executes = &KeptPlan{Operation: k.Operation}
	for _, n := range s.Nodes {
		s.forgetAsked(n)
	}
}

func (k *KeptPlan) counts() map[event.Change]int {
	counts := map[event.Change]int{}
	if k != nil {
		for _, step := range k.Steps {
			counts[step.Change]++
		}
	}
	return counts
}
