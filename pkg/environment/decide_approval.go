package environment

import (
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// ApproveInput is operation.approve, and RefuseInput operation.reject.
type (
	ApproveInput struct {
		CommandMeta
		event.Judgement
	}
	RefuseInput struct {
		CommandMeta
		event.Judgement
	}
)

func (ApproveInput) input() {}
func (RefuseInput) input()  {}

// rules are those that are in force after a create or an update.
func rules(resolved Resolved, own *event.Approval, before []Approval) []Approval {
	all := slices.Clone(resolved.Approvals)
	if own != nil {
		if a, err := NewApproval(*own); err == nil && a.When != WhenNever { // it was checked when it came
			all = append(all, a)
		}
		return all
	}
	for _, a := range before {
		if a.Template == "" {
			all = append(all, a)
		}
	}
	return all
}

// ordered makes a plan of an update or a destroy first, where it may have to be approved. What the rules in force say counts, not
// what they would be afterwards.
func (c *decision) ordered(concern string, in PlanInput, order Order) (taken bool, err *fault.Error) {
	if !c.ruled(concern, order) {
		return false, nil
	}
	in.order = &order
	return true, c.plan(in)
}

// ruled tells whether a rule in force is about what was ordered, or is changed by it.
func (c *decision) ruled(concern string, order Order) bool {
	return len(c.s.Approvals) > 0 && (order.Rules || slices.ContainsFunc(c.s.Approvals, func(a Approval) bool { return a.about(concern) }))
}

func (c *decision) orderedUpdate(in UpdateInput) (bool, *fault.Error) {
	if in.Executes != nil || len(in.Adopts) > 0 { // what takes over changes nothing
		return false, nil
	}
	u := in.Update
	u.Templates, u.Parameters = nil, nil
	changed := !reflect.DeepEqual(rules(in.Resolved, u.Approval, c.s.Approvals), slices.Clone(c.s.Approvals))
	return c.ordered(ForUpdate, PlanInput{CommandMeta: in.CommandMeta, Proposal: event.Proposal{Heal: u.Heal, Keep: in.Kept}, Resolved: in.Resolved, Origin: in.Origin},
		Order{Update: &u, Rules: changed})
}

func (c *decision) orderedDestroy(in DestroyInput, planned bool) (bool, *fault.Error) {
	if in.Executes != nil {
		return false, nil
	}
	d := in.Destroy
	return c.ordered(ForDestroy, PlanInput{CommandMeta: in.CommandMeta, Proposal: event.Proposal{Destroy: true}}, Order{Destroy: &d, Planned: planned})
}

// orderedApply lets an earlier plan wait for approval where its kind has to. Nobody is asked again what it would change.
func (c *decision) orderedApply(in ApplyInput, kept *KeptPlan) bool {
	if kept.Create || len(c.s.Approvals) == 0 {
		return false
	}
	order := Order{Of: kept.Operation}
	concern := ForUpdate
	if kept.Destroy {
		order.Destroy, concern = &event.Destroy{FailFast: in.FailFast}, ForDestroy
	} else {
		update := in.update(kept)
		order.Update = &update
		resolved, err := c.Again(*kept)
		order.Rules = err != nil || !reflect.DeepEqual(rules(resolved, nil, c.s.Approvals), slices.Clone(c.s.Approvals))
	}
	if !c.ruled(concern, order) {
		return false
	}
	c.emit(StatusPlanning{CommandID: in.CommandID, RequestedBy: in.RequestedBy, Operation: c.nextOperation(), Destroy: kept.Destroy, Templates: kept.Templates,
		Parallelism: c.Policy.Parallelism, Epoch: c.Epoch, Order: &order})
	return true
}

// orderedPlan is the plan that an operation carries out when it was approved.
func (s *State) orderedPlan() *KeptPlan {
	o := s.Operation
	if o.Order.Of != "" {
		return s.KeptPlan(o.Order.Of)
	}
	return o.Makes
}

// await lets a plan that was made for a command wait for approval, or go on where nobody has to approve it. It is false when
// the plan ends here.
func (c *decision) await() bool {
	o := c.s.Operation
	k := c.s.orderedPlan()
	if k == nil || o.Error != nil || o.Status != OperationRunning {
		return false
	}
	if k.Flaw != "" {
		c.orderError = fault.New(fault.GiveUp, fault.Invalid, "what was ordered has to be planned first, and the plan can't be carried out: %s", k.Flaw)
		return false
	}
	needs, wait := needed(c.s.Approvals, func(a Approval) bool {
		return o.Order.Rules || (a.about(o.concern()) && (a.When == WhenAlways || k.destroys()))
	})
	c.emit(AwaitingApproval{Operation: o.ID, Kind: o.concern(), Counts: o.Plan.Counts, Needs: needs, Until: c.now.Add(wait)})
	if needs != nil {
		return true
	}
	var resolved Resolved
	if resolved, c.orderError = c.still(k); c.orderError != nil {
		return false
	}
	_ = c.goOn(resolved) // what could be in its way was looked at
	return true
}

// goOn carries out a plan that was made for a command, and still can be.
func (c *decision) goOn(resolved Resolved) *fault.Error {
	o, order, k := c.s.Operation, c.s.Operation.Order, c.s.orderedPlan()
	c.emit(Finished{Operation: o.ID, Kind: o.Kind, Status: OperationSucceeded, Steps: o.counts()})
	until := c.now.Add(c.PlanFor)
	c.emit(StatusPlanned{Operation: o.ID, Counts: o.Plan.Counts, Until: &until})
	meta := CommandMeta{CommandID: o.CommandID, RequestedBy: o.RequestedBy}
	if order.Destroy != nil {
		return c.destroy(DestroyInput{CommandMeta: meta, Destroy: *order.Destroy, Executes: k})
	}
	if order.Redeploy != nil {
		return c.redeploy(RedeployInput{CommandMeta: meta, Redeploy: *order.Redeploy, executes: k})
	}
	if order.Retry != nil {
		return c.retry(RetryInput{CommandMeta: meta, Retry: *order.Retry, executes: k})
	}
	return c.update(UpdateInput{CommandMeta: meta, Update: *order.Update, Resolved: resolved, Origin: k.Origin, Kept: k.Keep, Executes: k})
}

// still resolves what a plan that has waited was made of, nothing for a destroy; or says why it can't be carried out any more.
func (c *decision) still(k *KeptPlan) (resolved Resolved, err *fault.Error) {
	order := c.s.Operation.Order
	if err = c.s.locked(); err == nil && order.Of != "" {
		_, err = c.executable(order.Of)
	}
	if err != nil {
		return resolved, err
	}
	switch {
	case k.Destroy && order.Retry != nil:
		return resolved, nil // it has begun
	case k.Destroy && k.Part != nil:
		return resolved, c.undestroyablePart(k.Part, order.Destroy.DespiteConsumers)
	case k.Destroy:
		return resolved, c.undestroyable(order.Destroy.DespiteConsumers)
	}
	if resolved, err = c.again(k); err != nil || order.Update == nil {
		return resolved, err
	}
	if err := used("updated to that", c.s.Name, c.losses(resolved)); err != nil && !order.Update.DespiteConsumers {
		return resolved, err
	}
	nodes, _ := c.s.identify(resolved.Nodes, resolved.Moves)
	return resolved, c.s.keeps(nodes)
}

// holdStep lets a step wait whose executor would do what the plan did not show.
func (c *decision) holdStep(n *Step, why string) {
	o := c.s.Operation
	needs, wait := needed(o.Rules, func(a Approval) bool { return a.about(o.concern()) })
	if needs == nil {
		needs, wait = []Need{{Self: true}}, DefaultExpires
	}
	c.emit(StepHeld{Operation: o.ID, Step: n.Address, Why: why, Needs: needs, Until: c.now.Add(wait)})
}

// verdict finds what somebody has decided on: the plan, or steps.
func (c *decision) verdict(v event.Judgement) ([]*Step, *fault.Error) {
	c.expireApprovals()
	if err := c.underWay(); err != nil {
		return nil, err
	}
	o := c.s.Operation
	switch {
	case v.Operation != "" && v.Operation != o.ID:
		return nil, fault.New(fault.Reject, fault.Conflict, "operation %s of environment %q waits for no approval; %s is under way", v.Operation, c.s.Name, o.ID)
	case o.Status != OperationRunning:
		return nil, fault.New(fault.Reject, fault.Conflict, "operation %s of environment %q is %s", o.ID, c.s.Name, o.Status)
	case o.Awaits != nil && o.Error != nil:
		return nil, fault.New(fault.Reject, o.Error.Code, "operation %s of environment %q can't be approved any more: %s", o.ID, c.s.Name, o.Error.Message)
	case o.Awaits != nil && v.Steps == nil:
		return nil, nil
	}
	var held []*Step
	for _, n := range c.s.Nodes {
		if n.held() && (v.Steps == nil || slices.Contains(v.Steps, n.Address)) {
			held = append(held, n)
		}
	}
	if len(held) == 0 || len(held) < len(v.Steps) {
		return nil, fault.New(fault.Reject, fault.Conflict, "operation %s of environment %q does not wait for approval, or not of these steps: it was given or refused, or its time is up", o.ID, c.s.Name)
	}
	return held, nil
}

func (c *decision) approve(in ApproveInput) *fault.Error {
	held, err := c.verdict(in.Judgement)
	if err != nil {
		return err
	}
	o := c.s.Operation
	b := Approved{CommandID: in.CommandID, RequestedBy: in.RequestedBy, Operation: o.ID, Comment: in.Comment}
	if held == nil {
		if !o.Awaits.takes(in.RequestedBy, o.RequestedBy) {
			return c.mayNot(in.RequestedBy, o.Awaits)
		}
		if !o.Awaits.given(b, c.now, o.RequestedBy).done() {
			c.emit(b)
			return nil
		}
		resolved, err := c.still(c.s.orderedPlan())
		if err != nil {
			return err
		}
		c.emit(b)
		return c.goOn(resolved)
	}
	for _, n := range held {
		if n.Asked.Hold.takes(in.RequestedBy, o.RequestedBy) {
			b.Steps = append(b.Steps, n.Address)
		}
	}
	if b.Steps == nil {
		return c.mayNot(in.RequestedBy, held[0].Asked.Hold)
	}
	c.emit(b)
	return nil
}

// mayNot says who may approve.
func (c *decision) mayNot(who string, a *Awaits) *fault.Error {
	o := c.s.Operation
	if who == "" {
		who = "somebody unknown"
	}
	return fault.New(fault.Reject, fault.Forbidden, "%s may not approve operation %s of environment %q, or has already: it may be approved by %s", who, o.ID, c.s.Name, a.who(o.RequestedBy))
}

func (c *decision) reject(in RefuseInput) *fault.Error {
	held, err := c.verdict(in.Judgement)
	if err != nil {
		return err
	}
	b := Refused{CommandID: in.CommandID, RequestedBy: in.RequestedBy, Operation: c.s.Operation.ID, Comment: in.Comment}
	for _, n := range held {
		b.Steps = append(b.Steps, n.Address)
	}
	c.emit(b)
	for _, n := range held {
		if n.held() { // the failure of one may have ended the others
			c.fail(c.s.index[n.Address], "", b.error())
		}
	}
	return nil
}

// expireApprovals ends what nobody has approved in time. Once that is said, a clock that is set back changes nothing.
func (c *decision) expireApprovals() {
	if !c.s.Busy() || c.s.Operation.Status != OperationRunning {
		return
	}
	o := c.s.Operation
	if o.Awaits != nil {
		if o.Error == nil && !c.now.Before(o.Awaits.Until) {
			c.emit(ApprovalExpired{Operation: o.ID, Until: o.Awaits.Until})
		}
		return
	}
	if !o.executing() {
		return
	}
	b := ApprovalExpired{Operation: o.ID}
	for _, n := range c.s.Nodes {
		if n.held() && !c.now.Before(n.Asked.Hold.Until) {
			b.Steps, b.Until = append(b.Steps, n.Address), n.Asked.Hold.Until
		}
	}
	if b.Steps == nil {
		return
	}
	c.emit(b)
	for _, address := range b.Steps {
		if i := c.s.index[address]; c.s.Nodes[i].held() {
			c.fail(i, "", b.error())
		}
	}
}

func (b ApprovalExpired) error() *fault.Error {
	return fault.New(fault.GiveUp, fault.Expired, "nobody has approved it until %s", b.Until.Format(time.RFC3339))
}

func (b Refused) error() *fault.Error {
	who, why := b.RequestedBy, b.Comment
	if who == "" {
		who = "somebody unknown"
	}
	if why != "" {
		why = ": " + why
	}
	return fault.New(fault.GiveUp, fault.NotApproved, "it was rejected by %s%s", who, why)
}

// retryOrdered is an update to what the environment is to be already, so that what it would do is shown and approved.
func (c *decision) retryOrdered(in RetryInput) *fault.Error {
	s := c.s
	resolved, err := c.Again(KeptPlan{Templates: s.Templates, Parameters: s.Parameters, Given: s.Given})
	if err != nil {
		return rejected(fmt.Sprintf("environment %q can't be retried: ", s.Name), err, "")
	}
	return c.update(UpdateInput{CommandMeta: in.CommandMeta, Update: event.Update{FailFast: in.FailFast}, Resolved: resolved})
}

// rulesAfter are those that are in force after an update. One that takes over what is there waits for nobody, and so loosens none.
func (c *decision) rulesAfter(in UpdateInput) []Approval {
	if len(in.Adopts) > 0 {
		return c.s.Approvals
	}
	return rules(in.Resolved, in.Approval, c.s.Approvals)
}
