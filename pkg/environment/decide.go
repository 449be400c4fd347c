package environment

import (
	"time"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Decider decides. It holds no state of an environment and may be used by many goroutines.
type Decider struct{ policy Policy }

// NewDecider makes one with these bounds.
func NewDecider(p Policy) *Decider { return &Decider{policy: p.WithDefaults()} }

// Policy returns the bounds in force.
func (d *Decider) Policy() Policy { return d.policy }

// Decision is the outcome of Decide.
type Decision struct {
	Facts []Fact
	// Answer is for the one who sent the command, nil for other inputs. It is due once the facts are durable.
	Answer *event.Answer
}

// Decide says what follows from an input at a time. The facts it returns are already taken into s (as a fold of Evolve
// would), since each may depend on the one before; so s has to be loaded again when they can't be made durable. The
// resolver may be nil while no environment of the name was ever created.
func (d *Decider) Decide(s *State, around Surroundings, in Input, now time.Time) Decision {
	if around.Resolver != nil {
		around.Resolver = consuming{around.Resolver, around.Consumed}
	}
	if around.Before != nil {
		around.Before = consuming{around.Before, around.Consumed}
	}
	c := &decision{Policy: d.policy, Surroundings: around, s: s, now: now}
	c.takeover()
	switch in := s.addressed(c.beginning(in)).(type) {
	case CreateInput:
		c.command(in.CommandMeta, event.EnvironmentCreate, func() *fault.Error { return c.create(in) })
	case UpdateInput:
		c.command(in.CommandMeta, event.EnvironmentUpdate, func() *fault.Error { return c.update(in) })
	case ScheduleInput:
		c.command(in.CommandMeta, event.EnvironmentSchedule, func() *fault.Error { return c.schedule(in) })
	case DestroyInput:
		c.command(in.CommandMeta, event.EnvironmentDestroy, func() *fault.Error { return c.destroy(in) })
	case CancelInput:
		c.command(in.CommandMeta, event.EnvironmentCancel, func() *fault.Error { return c.cancel(in) })
	case RetryInput:
		c.command(in.CommandMeta, event.EnvironmentRetry, func() *fault.Error { return c.retry(in) })
	case PauseInput:
		c.command(in.CommandMeta, event.EnvironmentPause, func() *fault.Error { return c.pause(in) })
	case ResumeInput:
		c.command(in.CommandMeta, event.EnvironmentResume, func() *fault.Error { return c.resume(in) })
	case RedeployInput:
		c.command(in.CommandMeta, event.EnvironmentRedeploy, func() *fault.Error { return c.redeploy(in) })
	case RunInput:
		c.command(in.CommandMeta, event.EnvironmentRun, func() *fault.Error { return c.run(in) })
	case CheckInput:
		c.command(in.CommandMeta, event.EnvironmentCheck, func() *fault.Error { return c.check(in) })
	case PlanInput:
		c.command(in.CommandMeta, event.EnvironmentPlan, func() *fault.Error { return c.plan(in) })
	case LockInput:
		c.command(in.CommandMeta, event.EnvironmentLock, func() *fault.Error { return c.lock(in) })
	case UnlockInput:
		c.command(in.CommandMeta, event.EnvironmentUnlock, func() *fault.Error { return c.unlock(in) })
	case AdoptInput:
		c.command(in.CommandMeta, event.EnvironmentAdopt, func() *fault.Error { return c.adopt(in) })
	case RollbackInput:
		c.command(in.CommandMeta, event.EnvironmentRollback, func() *fault.Error { return c.rollback(in) })
	case CloneInput:
		c.command(in.CommandMeta, event.EnvironmentClone, func() *fault.Error { return c.clone(in) })
	case PromoteInput:
		c.command(in.CommandMeta, event.EnvironmentPromote, func() *fault.Error { return c.promote(in) })
	case ApplyInput:
		c.command(in.CommandMeta, event.EnvironmentApply, func() *fault.Error { return c.apply(in) })
	case SettleInput:
		c.command(in.CommandMeta, event.EnvironmentSettle, func() *fault.Error { return c.settle(in) })
	case ApproveInput:
		c.command(in.CommandMeta, event.OperationApprove, func() *fault.Error { return c.approve(in) })
	case RefuseInput:
		c.command(in.CommandMeta, event.OperationReject, func() *fault.Error { return c.reject(in) })
	case RejectInput:
		c.command(in.CommandMeta, in.Command, func() *fault.Error { return in.Error })
	case AcceptedInput:
		c.accepted(in)
	case RefusedInput:
		c.refused(in)
	case ResultInput:
		c.result(in)
	case HeartbeatInput:
		c.heartbeat(in)
	case StateInput:
		c.saved(in)
	case HealthInput:
		c.health(in)
	case RunnerStartedInput:
		c.runnerStarted(in)
	case LookInput:
		c.look(in)
	case TickInput:
		c.tick()
		c.expireApprovals()
		c.planned()
		c.lapsePlans()
	}
	c.advance()
	return c.Decision
}

// decision is one call of Decide.
type decision struct {
	Policy
	Decision
	Surroundings
	s         *State
	now       time.Time
	justSaved string // place of the saved plan that has come with the input
	begins    string // id of the command that has waited and begins
	// orderError is why a plan that was made for a command is not carried out.
	orderError *fault.Error
}

func (c *decision) emit(b Body) {
	f := Fact{At: c.now, Body: b}
	if err := Evolve(c.s, f); err != nil {
		panic("environment: decided on what can't follow: " + err.Error()) // a defect of the decider; the properties look for it
	}
	c.Facts = append(c.Facts, f)
}

// command takes a command once: a second copy gets the first one's answer.
func (c *decision) command(m CommandMeta, name string, take func() *fault.Error) {
	c.Answer = &event.Answer{CommandID: m.CommandID, Command: name, Environment: c.s.Name}
	if known := c.s.outcome(m.CommandID); known != nil && c.begins != m.CommandID {
		c.Answer.Accepted, c.Answer.Operation = known.Error == nil, known.Operation
		c.Answer.Error, c.Answer.Duplicate, c.Answer.Queued = known.Error, true, c.s.waits(m.CommandID)
		return
	}
	err := c.s.locked()
	if err == nil || harmless(name) {
		err = take()
	}
	if err != nil {
		c.Answer.Error = err
		c.emit(CommandRejected{CommandID: m.CommandID, Command: name, RequestedBy: m.RequestedBy, Error: err})
		return
	}
	if c.Answer.Accepted = true; !c.Answer.Queued {
		c.Answer.Operation = c.s.Operation.ID
	}
}

func (c *decision) create(in CreateInput) *fault.Error {
	if c.s.Exists() {
		return c.inTheWay()
	}
	c.emit(Created{CommandID: in.CommandID, RequestedBy: in.RequestedBy, Operation: c.nextOperation(),
		Description: in.Description, Tags: in.Tags, Templates: in.Resolved.Templates, Parameters: in.Resolved.Parameters,
		Given: in.Given, Groups: in.Groups, Nodes: c.s.anew(in.Nodes), DestroyAt: c.firstDay(in), Standing: in.Standing, Plan: in.Executes.id(), FailFast: in.FailFast,
		Sources: in.Sources, Approvals: rules(in.Resolved, in.Approval, nil), Parallelism: c.parallelism(in.Resolved.Parallelism, in.Create.Parallelism), Epoch: c.Epoch, Origin: in.Origin, Adopts: in.Adopts})
	c.emit(StatusDeploying{Operation: c.s.Operation.ID})
	c.appoint()
	return nil
}

func (c *decision) inTheWay() *fault.Error {
	if c.s.Busy() {
		return fault.New(fault.Reject, fault.Busy, "environment %q is %s (operation %s): wait for it, or cancel it", c.s.Name, c.s.Status, c.s.Operation.ID)
	}
	return fault.New(fault.Reject, fault.Exists, "environment %q exists already and is %s: destroy it first, or choose another name", c.s.Name, c.s.Status)
}

func (c *decision) destroy(in DestroyInput) *fault.Error { return c.destroyed(in, false) }

// destroyed begins a destroy, for good or until the environment's hours make it again.
func (c *decision) destroyed(in DestroyInput, hours bool) *fault.Error {
	switch {
	case !c.s.Exists():
		return c.notThere()
	case c.s.Busy():
		return c.whenBusy(in.WhenBusy, event.EnvironmentDestroy, in.CommandMeta, in.Destroy)
	}
	in.WhenBusy = ""
	if in.Groups != nil {
		return c.destroyGroups(in)
	}
	if err := c.undestroyable(in.DespiteConsumers); err != nil {
		return err
	}
	if !hours { // what its template or somebody has settled for every day comes back, and was no news today
		if taken, err := c.orderedDestroy(in, false); taken {
			return err
		}
	}
	c.emit(StatusDestroying{CommandID: in.CommandID, RequestedBy: in.RequestedBy, Operation: c.nextOperation(),
		Hours: hours, Plan: in.Executes.id(), Resumes: c.s.resumedBy(in, nil), Force: in.Force, FailFast: in.FailFast, Parallelism: c.parallelism(c.s.Operation.Parallelism), Epoch: c.Epoch})
	return nil
}

// retry takes up again what failed: for a destroy that is to destroy what is left.
func (c *decision) retry(in RetryInput) *fault.Error {
	switch {
	case !c.s.Exists():
		return c.notThere()
	case c.s.Busy():
		return c.inTheWay()
	case in.Groups != nil:
		return c.retryGroups(in)
	case c.s.Status == DestroyFailed:
		return c.destroyed(DestroyInput{CommandMeta: in.CommandMeta, Destroy: event.Destroy{FailFast: in.FailFast, Force: c.s.undone().forced()}}, c.s.undone().byHours())
	case c.s.Status == Failed && c.s.partly():
		return c.redestroyGroups(in)
	case c.s.Status != Failed:
		return fault.New(fault.Reject, fault.Conflict, "environment %q is %s: nothing of it failed that could be tried again", c.s.Name, c.s.Status)
	}
	if len(c.s.Approvals) > 0 && c.Again != nil {
		return c.retryOrdered(in)
	}
	c.emit(StatusRetrying{CommandID: in.CommandID, RequestedBy: in.RequestedBy, Operation: c.nextOperation(), FailFast: in.FailFast,
		Parallelism: c.parallelism(c.s.Operation.Parallelism), Epoch: c.Epoch})
	c.emit(StatusDeploying{Operation: c.s.Operation.ID})
	return nil
}

func (c *decision) pause(in PauseInput) *fault.Error {
	if in.Groups != nil {
		return c.pauseGroups(in)
	}
	if err := c.underWay(); err != nil {
		return err
	}
	if c.s.Operation.Paused {
		return fault.New(fault.Reject, fault.Conflict, "operation %s of environment %q is paused already", c.s.Operation.ID, c.s.Name)
	}
	c.emit(Paused{CommandID: in.CommandID, RequestedBy: in.RequestedBy, Operation: c.s.Operation.ID, Reason: in.Reason})
	return nil
}

func (c *decision) resume(in ResumeInput) *fault.Error {
	if in.Groups != nil {
		return c.resumeGroups(in)
	}
	if err := c.underWay(); err != nil {
		return err
	}
	if !c.s.Operation.Paused {
		return fault.New(fault.Reject, fault.Conflict, "operation %s of environment %q is not paused", c.s.Operation.ID, c.s.Name)
	}
	c.emit(Resumed{CommandID: in.CommandID, RequestedBy: in.RequestedBy, Operation: c.s.Operation.ID})
	return nil
}

// underWay says what is wrong with a command that needs an operation that runs.
func (c *decision) underWay() *fault.Error {
	switch {
	case !c.s.Exists():
		return c.notThere()
	case !c.s.Busy():
		return fault.New(fault.Reject, fault.Conflict, "environment %q is %s: nothing is under way", c.s.Name, c.s.Status)
	}
	return nil
}

func (c *decision) cancel(in CancelInput) *fault.Error {
	if in.Queued {
		return c.dropQueued(in)
	}
	if err := c.underWay(); err != nil {
		return err
	}
	reason := in.Reason
	if reason == "" {
		reason = "cancelled by command"
	}
	c.stop(Cancelling{CommandID: in.CommandID, RequestedBy: in.RequestedBy, Operation: c.s.Operation.ID, Reason: reason})
	return nil
}

func (c *decision) notThere() *fault.Error {
	if c.s.Down {
		return fault.New(fault.Reject, fault.NotFound, "environment %q is down until %s by its hours: create it before, or take them back with environment.schedule",
			c.s.Name, c.s.Next.Up.Format(time.RFC3339))
	}
	return fault.New(fault.Reject, fault.NotFound, "there is no environment %q", c.s.Name)
}

// stop begins nothing new; what is in flight comes back by itself, or lapses.
func (c *decision) stop(b Cancelling) {
	c.emit(b)
	for _, n := range c.s.Nodes {
		if n.State == StateBlocked || n.State == StateQueued || n.State == StateUncertain {
			c.emit(StepSkipped{Operation: b.Operation, Step: n.Address})
		}
	}
}

func (c *decision) nextOperation() string { return operationID(c.s.Operations + 1) }

// parallelism is the smallest of the bounds that are set.
func (c *decision) parallelism(bounds ...int) int {
	least := c.Policy.Parallelism
	for _, b := range bounds {
		if b > 0 && b < least {
			least = b
		}
	}
	return least
}

// advance offers what may run, and ends the operation when nothing is left to do.
func (c *decision) advance() {
	if !c.s.Busy() {
		return
	}
	c.fill()
	o := c.s.Operation
	if o.Remaining > 0 || (o.Awaits != nil && o.Status == OperationRunning && o.Error == nil) {
		return
	}
	part := o.Kind.makes() && len(c.s.missingAfter(o)) > 0
	if o.Kind.makes() && !part && !o.Validating && o.Error == nil && o.Status == OperationRunning {
		c.emit(StatusValidating{Operation: o.ID, Probes: c.probes()})
		c.advance()
		return
	}
	if !part && !c.handedOn() {
		return
	}
	if c.finish(); c.s.Operation != o {
		c.advance() // a plan was carried out at once
	}
}

func (c *decision) probes() int {
	count := 0
	for _, n := range c.s.Nodes {
		if n.Probed && !n.Doomed {
			count++
		}
	}
	return count
}

func (c *decision) finish() {
	o := c.s.Operation
	if o.Order != nil && o.Awaits == nil && c.await() {
		return
	}
	outcome := Finished{Operation: o.ID, Kind: o.Kind, Status: OperationSucceeded, Steps: o.counts(), Error: o.Error}
	var status Body
	switch o.Kind {
	case DestroyOperation:
		status = c.destroyStatus(&outcome)
	case RunOperation:
		status = c.runStatus(&outcome)
	case PlanOperation:
		_ = c.unfinished(&outcome)
		status = c.plannedStatus(&outcome)
	case CheckOperation:
		_ = c.unfinished(&outcome) // it says so in the outcome
		status = c.asBefore()
	default:
		status = c.createStatus(&outcome)
	}
	c.emit(outcome)
	c.emit(status)
}

func (c *decision) createStatus(f *Finished) Body {
	o := c.s.Operation
	if err := c.unfinished(f); err != nil {
		return StatusFailed{Operation: o.ID, Error: err}
	}
	if missing := c.s.missingAfter(o); len(missing) > 0 {
		f.Status, f.Error = OperationFailed, stillMissing(missing)
		return StatusFailed{Operation: o.ID, Error: f.Error}
	}
	outputs, err := c.Resolver.Outputs(c.s.OutputsOf)
	if err == nil {
		var entrypoints []Entrypoint
		if entrypoints, err = c.Resolver.Entrypoints(c.s.OutputsOf); err == nil {
			return StatusDeployed{Operation: o.ID, Outputs: outputs, Entrypoints: entrypoints}
		}
	}
	f.Status, f.Error = OperationFailed, fault.From(err)
	return StatusFailed{Operation: o.ID, Error: f.Error}
}

func (c *decision) destroyStatus(f *Finished) Body {
	if c.s.Operation.Groups != nil {
		return c.partStatus(f)
	}
	if err := c.unfinished(f); err != nil {
		return StatusDestroyFailed{Operation: f.Operation, Error: err}
	}
	return StatusDestroyed{Operation: f.Operation}
}

// unfinished says why the operation has not done all of it, nil when it has.
func (c *decision) unfinished(f *Finished) *fault.Error {
	o := c.s.Operation
	switch {
	case o.Status == OperationCancelling && (o.Error == nil || !o.FailFast):
		f.Status = OperationCancelled
		f.Error = fault.New(fault.GiveUp, fault.Cancelled, "%s", o.Reason)
	case o.Error != nil:
		f.Status = OperationFailed
	default:
		return nil
	}
	return f.Error
}
