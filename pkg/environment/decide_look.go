package environment

import (
	"time"

	"github.com/vivarium-env/vivarium/pkg/event"
)

// LookInput is what was seen of a resource without an operation that asked for it. Operation is the environment's last one
// when the look began: whatever has begun since makes it void.
type LookInput struct {
	Step, Operation string
	Epoch           uint64
	Observation     event.Observation
	At              time.Time
}

func (LookInput) input() {}

// Healing: what was found gone, or other than it was left, is applied again by itself, with what depends on it.
type Healing struct {
	Operation   string   `json:"operation"`
	Steps       []string `json:"steps"`
	Parallelism int      `json:"parallelism"`
	Epoch       uint64   `json:"epoch"`
}

// HealGaveUp: a resource was healed so often that it is left to people. It is healed again once a command has applied it.
type HealGaveUp struct {
	Step  string `json:"step"`
	Heals int    `json:"heals"`
}

// Type is the fact's name.
func (Healing) Type() string { return "environment.healing" }

// Type is the fact's name.
func (HealGaveUp) Type() string { return "resource.heal-gave-up" }

// Bounds of healing, so that two who heal the same don't fight for ever: the distance after a heal, doubled with each; how
// many there are; and after how long they no longer count together.
const (
	healHold  = 10 * time.Minute
	mostHeals = 5
	healCalm  = 24 * time.Hour
)

// look takes in what was seen between operations, if that is news, and has it healed where the policy says so.
func (c *decision) look(in LookInput) {
	s := c.s
	n := s.Step(in.Step)
	if n == nil || s.Status != Deployed || s.Busy() || s.Operation.ID != in.Operation || in.Epoch < s.Epoch || !n.Exists || n.Type != ResourceNode {
		return
	}
	c.found(n, ResourceObserved{Operation: in.Operation, Step: in.Step, At: in.At, Unasked: true}, in.Observation)
	if _, policy := s.DriftPolicy(0); policy == event.DriftHeal && n.Drift.Off() && s.Lock == nil && !s.partly() {
		c.heal(n)
	}
}

// heal applies again what may be healed now, of all that is off, when that is true of n.
func (c *decision) heal(n *Step) {
	if n.heals(c.now) >= mostHeals && !n.GaveUp {
		c.emit(HealGaveUp{Step: n.Address, Heals: n.Heals})
	}
	if !n.healable(c.now) {
		return
	}
	var steps []string
	included := map[int]bool{}
	for i, one := range c.s.Nodes {
		if one.Type == StatusNode || (one.Type == ActionNode && !one.RunsOn(OnUpdate)) {
			continue
		}
		for _, d := range one.depends {
			included[i] = included[i] || included[d]
		}
		if included[i] = included[i] || (one.Drift.Off() && one.healable(c.now)); included[i] {
			if c.s.paused(one) != nil {
				return // it would wait for that, and so would all other commands
			}
			steps = append(steps, one.Address)
		}
	}
	c.emit(Healing{Operation: c.nextOperation(), Steps: steps, Parallelism: c.parallelism(c.s.Operation.Parallelism), Epoch: c.Epoch})
	c.emit(StatusDeploying{Operation: c.s.Operation.ID})
}

// heals are those that count together.
func (n *Step) heals(now time.Time) int {
	if now.Sub(n.HealedAt) > healCalm {
		return 0
	}
	return n.Heals
}

func (n *Step) healable(now time.Time) bool {
	count := n.heals(now)
	if n.GaveUp || count >= mostHeals {
		return false
	}
	return count == 0 || !now.Before(n.HealedAt.Add(healHold<<(count-1)))
}

// looked takes in what was seen between operations.
func (s *State) looked(b ResourceObserved) error {
	return s.onNode(b.Type(), b.Step, func(n *Step) { s.finds(n, b) })
}

func (s *State) gaveUp(b HealGaveUp) error {
	return s.onNode(b.Type(), b.Step, func(n *Step) { n.GaveUp = true })
}

// onNode changes a node between operations.
func (s *State) onNode(typ, address string, change func(*Step)) error {
	i, ok := s.index[address]
	if !ok {
		return errOutOfPlace(typ, address)
	}
	change(s.Nodes[i])
	s.dirty.environment = true
	s.dirty.touch(i)
	return nil
}

// healing begins an update to what is wanted already.
func (s *State) healing(b Healing, at time.Time) {
	s.Status, s.Epoch, s.Error = Deploying, b.Epoch, nil
	s.begin(Operation{Kind: UpdateOperation, Heals: true, Parallelism: b.Parallelism, StartedAt: at}, event.EnvironmentUpdate)
	steps := set(b.Steps)
	for i, n := range s.Nodes {
		if !steps[n.Address] {
			s.leaveOut(i)
			continue
		}
		n.Stale = true
		if n.Drift.Off() {
			n.Due, n.Heals, n.HealedAt = true, n.heals(at)+1, at
		}
		s.renew(i)
	}
	s.dirty.environment = true
	s.release()
}
