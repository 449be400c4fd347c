package environment

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// ApplyInput is environment.apply.
type ApplyInput struct {
	CommandMeta
	event.ApplyPlan
}

// apply begins to carry out a plan.
func (c *decision) apply(in ApplyInput) *fault.Error {
	if c.s.Busy() {
		return c.inTheWay()
	}
	kept, err := c.executable(in.Plan)
	if err != nil {
		return err
	}
	if kept.Redeploys != nil || kept.Part != nil {
		return fault.New(fault.Reject, fault.Conflict, "plan %s was of groups alone, which go on by themselves once it is approved: send the command again that it was made for", in.Plan)
	}
	if c.orderedApply(in, kept) {
		return nil
	}
	if kept.Destroy {
		return c.destroy(DestroyInput{CommandMeta: in.CommandMeta, Destroy: event.Destroy{FailFast: in.FailFast}, Executes: kept})
	}
	resolved, err := c.again(kept)
	if err != nil {
		return err
	}
	if kept.Create {
		create := event.Create{Tags: in.Tags, DestroyAt: in.DestroyAt, FailFast: in.FailFast, Parallelism: in.Parallelism}
		if in.Description != nil {
			create.Description = *in.Description
		}
		return c.create(CreateInput{CommandMeta: in.CommandMeta, Create: create, Resolved: resolved, Origin: kept.Origin, Executes: kept})
	}
	return c.update(UpdateInput{CommandMeta: in.CommandMeta, Update: in.update(kept), Resolved: resolved, Origin: kept.Origin, Kept: kept.Keep, Executes: kept})
}

// update is what carrying out the plan of an update asks for.
func (in ApplyInput) update(kept *KeptPlan) event.Update {
	return event.Update{Description: in.Description, Tags: in.Tags, DestroyAt: in.DestroyAt, Heal: kept.Heal, FailFast: in.FailFast, Parallelism: in.Parallelism}
}

// rejected is why a command can't be taken, with words around those of the error.
func rejected(before string, err error, after string) *fault.Error {
	e := fault.From(err)
	return fault.New(fault.Reject, e.Code, "%s%s%s", before, e.Message, after).With(e.Diagnostics...)
}

// executable finds a plan that can be carried out, or says why it can't be.
func (c *decision) executable(id string) (*KeptPlan, *fault.Error) {
	const again = "; plan again"
	if kept := c.s.KeptPlan(id); kept != nil {
		if !c.now.Before(kept.Until) {
			return nil, fault.New(fault.Reject, fault.Expired, "plan %s could be carried out until %s, and that is over"+again, id, kept.Until.Format(time.RFC3339))
		}
		return kept, nil
	}
	for i := len(c.s.Spent) - 1; i >= 0; i-- {
		switch p := c.s.Spent[i]; {
		case p.Operation != id:
		case p.By != "":
			return nil, fault.New(fault.Reject, fault.Conflict, "plan %s was carried out already, by operation %s"+again, id, p.By)
		default:
			return nil, fault.New(fault.Reject, fault.Conflict, "plan %s can't be carried out: %s"+again, id, p.Why)
		}
	}
	if n, err := strconv.Atoi(strings.TrimPrefix(id, "op-")); err != nil || n < 1 || n > c.s.Operations || operationID(n) != id {
		return nil, fault.New(fault.Reject, fault.NotFound, "environment %q has no operation %q: is it the plan of another environment?", c.s.Name, id)
	}
	return nil, fault.New(fault.Reject, fault.NotFound, "operation %s of environment %q is no plan that can be carried out: it is another operation, or a plan of long ago"+again, id, c.s.Name)
}

// again resolves what a plan was made of, and holds against it what would be proposed now.
func (c *decision) again(kept *KeptPlan) (Resolved, *fault.Error) {
	if c.Again == nil {
		return Resolved{}, fault.New(fault.Reject, fault.Unavailable, "plans can't be carried out here")
	}
	resolved, err := c.Again(*kept)
	var now []Proposed
	if err == nil {
		resolved.Moves = c.s.movesTo(kept.Origin, resolved)
		is := resolved
		is.Nodes, _ = c.s.identify(resolved.Nodes, resolved.Moves)
		thought := PlanInput{Proposal: event.Proposal{Heal: kept.Heal}, Resolved: is, redeploys: kept.Redeploys, part: kept.Part}
		now, _, err = c.proposed(thought)
		now = append(now, c.removals(thought)...)
	}
	if err != nil {
		return resolved, rejected("plan "+kept.Operation+" can't be carried out: ", err, "; plan again")
	}
	if address := kept.other(now); address != "" {
		return resolved, fault.New(fault.Reject, fault.Conflict, "what %s would be given is not what it was when plan %s was made; plan again", address, kept.Operation)
	}
	return resolved, nil
}

// other names the first step that is not what the plan was made of, "" when all are.
func (k *KeptPlan) other(now []Proposed) string {
	for _, p := range now {
		step := k.step(p.Address)
		if step == nil || step.Proposes != p.Proposes || (step.Fingerprint != "" && step.Fingerprint != p.Fingerprint) {
			return p.Address
		}
	}
	if len(now) < len(k.Steps) {
		there := make(map[string]bool, len(now))
		for _, p := range now {
			there[p.Address] = true
		}
		for _, step := range k.Steps {
			if !there[step.Address] {
				return step.Address
			}
		}
	}
	return ""
}

// asPlanned makes of the offer of an apply what a plan that is carried out asks for: an apply of what its executor has saved,
// or of what it was asked about just now, or else the question what it would change.
func (c *decision) asPlanned(n *Step, w *StepWaiting) error {
	o := c.s.Operation
	if !o.executing() {
		return nil
	}
	kept := o.Executes.step(n.Address)
	switch {
	case n.Type != ResourceNode && kept == nil:
		return fault.New(fault.GiveUp, fault.Conflict, "%s would run, and plan %s did not show that; plan again", n.Address, o.Executes.Operation)
	case n.Type != ResourceNode:
		return nil
	case n.Asked.clear(w.Fingerprint):
		w.Plan = savedIn(o.ID, n.Asked.Saved)
		if w.Plan == nil {
			return nil
		}
	case n.Asked == nil && kept != nil && kept.Saved != nil && kept.Fingerprint != "" && kept.Fingerprint == w.Fingerprint:
		w.Plan = savedIn(o.Executes.Operation, kept.Saved)
	}
	if w.Plan == nil || !c.there(*w.Plan, n.Address) {
		w.Plan, w.Verb = nil, event.Propose
	}
	return nil
}

// there tells whether a saved plan can be had; the one that has just come is only being kept.
func (c *decision) there(p SavedPlan, step string) bool {
	return c.State == nil || c.justSaved == p.Place(step) || c.State(p.Place(step), p.Hash) == nil
}

func savedIn(operation string, ref *StateRef) *SavedPlan {
	if ref == nil {
		return nil
	}
	return &SavedPlan{Operation: operation, StateRef: *ref}
}

// savedRef names what a runner has sent.
func savedRef(data string) *StateRef {
	if data == "" {
		return nil
	}
	sum := sha256.Sum256([]byte(data))
	return &StateRef{Hash: hex.EncodeToString(sum[:]), Size: len(data)}
}

func (o *Operation) savedBytes() (sum int) {
	if o.Makes == nil {
		return 0
	}
	for _, step := range o.Makes.Steps {
		if step.Saved != nil {
			sum += step.Saved.Size
		}
	}
	return sum
}

// toldAnew takes what an executor says of a step now that its inputs are known. What the plan did not show is not done.
func (c *decision) toldAnew(i int, in ResultInput) {
	o, n := c.s.Operation, c.s.Nodes[i]
	if o.Status == OperationCancelling {
		c.emit(StepSkipped{Operation: o.ID, Step: n.Address})
		return
	}
	b := said(in)
	c.tell(b)
	spared := n.spared(fault.GiveUp, b.Plan.Change)
	switch unseen := unseen(o.Executes.step(n.Address), b.Plan); {
	case b.Unkept > 0:
		c.fail(i, in.Runner, fault.New(fault.GiveUp, fault.Invalid, "what the executor of %s has saved to do what it says is too large to be kept (%d bytes, %d are possible): update without a plan", n.Address, b.Unkept, event.MaxState))
	case spared != nil:
		c.fail(i, in.Runner, spared)
	case unseen != "":
		c.holdStep(n, unseen)
	}
}

// plannedStatus is the end of a plan. What went well can be carried out for a while.
func (c *decision) plannedStatus(f *Finished) Body {
	if c.unfinished(f) == nil && c.orderError != nil {
		f.Status, f.Error = OperationFailed, c.orderError
	}
	o := c.s.Operation
	b := StatusPlanned{Operation: o.ID, Counts: o.Plan.Counts}
	if f.Status == OperationSucceeded && o.Makes != nil && o.Makes.Flaw == "" {
		until := c.now.Add(c.PlanFor)
		b.Until = &until
	}
	return b
}

// plansLapse tells whether the time of some plan is up.
func (s *State) plansLapse(now time.Time) bool {
	for _, k := range s.Plans {
		if !now.Before(k.Until) {
			return true
		}
	}
	return false
}

func (c *decision) lapsePlans() {
	if !c.s.plansLapse(c.now) {
		return
	}
	var b PlansLapsed
	for _, k := range c.s.Plans {
		if !c.now.Before(k.Until) {
			b.Plans = append(b.Plans, k.Operation)
		}
	}
	c.emit(b)
}

// promotionKeeps are the parameters that a promotion which is thought of leaves alone.
func (s *State) promotionKeeps(in PlanInput) []string {
	if in.From == "" || !s.Exists() {
		return nil
	}
	if kept := s.Keeping(in.Keep); len(kept) > 0 {
		return kept
	}
	return nil
}

// Keeping are the parameters that a promotion leaves alone: those that it names, none if it names none, or else those of the last one.
func (s *State) Keeping(named []string) []string {
	if named == nil {
		return s.Kept
	}
	list := slices.Clone(named)
	slices.Sort(list)
	return slices.Compact(list)
}
