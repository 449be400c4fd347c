package environment

import (
	"slices"
	"time"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Evolve takes one fact into the state, in place. It fails only on a fact that can't follow, which means that the
// journal is not this environment's or was altered.
func Evolve(s *State, f Fact) error {
	if s.Operation == nil && needsOperation(f.Body) {
		return errOutOfPlace(f.Body.Type(), "")
	}
	s.open(f.At)
	defer s.close()
	return s.evolve(f)
}

func (s *State) evolve(f Fact) error {
	s.UpdatedAt = f.At
	switch b := f.Body.(type) {
	case CommandRejected:
		s.remember(Outcome{CommandID: b.CommandID, Command: b.Command, Error: b.Error})
	case CommandQueued:
		s.queue(b, f.At)
	case QueueDropped:
		s.remember(Outcome{CommandID: b.CommandID, Command: event.EnvironmentCancel})
	case Created:
		return s.created(b, f.At)
	case StatusDestroying:
		s.destroying(b, f.At)
	case Scheduled:
		s.scheduled(b)
	case Healing:
		s.healing(b, f.At)
	case Appointed:
		s.Next, s.DestroyHeld = b.Appointments, nil
		s.Down = s.Down && b.Up != nil
	case DestructionAhead:
		s.Warned = b.Warning
	case DestructionHeld:
		s.DestroyHeld = b.Error
	case Locked:
		s.Lock = &Lock{Reason: b.Reason, By: b.RequestedBy, At: f.At}
		s.remember(Outcome{CommandID: b.CommandID, Command: event.EnvironmentLock})
	case Unlocked:
		s.Lock = nil
		s.remember(Outcome{CommandID: b.CommandID, Command: event.EnvironmentUnlock})
	case Updated:
		return s.updated(b, f.At)
	case StatusRetrying:
		s.retrying(b, f.At)
	case Redeploying:
		s.redeploying(b, f.At)
	case GroupPaused:
		s.pauseGroups(b, f.At)
	case GroupResumed:
		s.resumeGroups(b)
	case StatusRunning:
		return s.running(b, f.At)
	case ResourceHealth:
		return s.changed(b)
	case StatusPlanning:
		return s.planning(b, f.At)
	case StatusPlanned:
		s.dirty.environment = true
		return s.planned(b)
	case AwaitingApproval:
		s.dirty.environment = true
		return s.await(b)
	case Approved:
		s.approved(b, f.At)
	case Refused:
		s.refused(b)
	case ApprovalExpired:
		s.approvalExpired(b)
	case PlansLapsed:
		s.plansLapsed(b)
	case StatusChecking:
		s.checking(b, f.At)
	case Paused:
		s.pause(&Pause{Reason: b.Reason, By: b.RequestedBy, At: f.At}, b.CommandID, event.EnvironmentPause)
	case Resumed:
		s.pause(nil, b.CommandID, event.EnvironmentResume)
	case Held:
		s.held(b)
	case StatusDeploying:
		s.Status = Deploying
	case StatusValidating:
		s.validating()
	case StatusDeployed:
		s.Status, s.Outputs, s.Entrypoints, s.Error = Deployed, b.Outputs, b.Entrypoints, nil
		if err := s.forgetDoomed(); err != nil {
			return err
		}
	case StatusFailed:
		s.Status, s.Error = Failed, b.Error
	case StatusDestroyed:
		s.destroyed()
	case StatusDestroyFailed:
		s.Status, s.Error = DestroyFailed, b.Error
	case Cancelling:
		s.cancelling(b)
	case Finished:
		s.Operation.Status, s.Operation.FinishedAt, s.Operation.Error = b.Status, f.At, b.Error
		s.dirty.operation, s.dirty.environment = true, true
		s.letGoOfPlan()
		return s.settle()
	default:
		if known, err := s.evolveTakeover(f); known {
			return err
		}
		return s.evolveStep(f)
	}
	s.dirty.environment = true
	return nil
}

// needsOperation tells whether a fact is about an operation that has begun.
func needsOperation(b Body) bool {
	switch b.(type) {
	case StatusValidating, StatusPlanned, AwaitingApproval, Approved, Refused, ApprovalExpired, Paused, Resumed, Held, Cancelling, Finished:
		return true
	}
	return false
}

func (s *State) created(b Created, at time.Time) error {
	life := NewState(s.Name)
	life.Operations, life.Commands, life.Retained = s.Operations, s.Commands, s.Retained
	life.Approvals = b.Approvals
	if b.Planned { // it comes back with the rule of its own
		life.Approvals = rules(Resolved{Approvals: b.Approvals}, nil, s.Approvals)
	}
	life.Plans, life.Spent, life.Queued = s.Plans, s.Spent, s.Queued
	life.TemplateStanding = b.Standing
	if b.Planned {
		life.OwnStanding, life.Next, life.Pauses = s.OwnStanding, s.Next, s.Pauses
	}
	life.dirty = s.dirty.anew()
	life.Status, life.CreatedAt, life.UpdatedAt = Pending, at, at
	life.Description, life.Tags, life.Templates = b.Description, b.Tags, b.Templates
	life.Parameters, life.Given, life.Groups, life.DestroyAt, life.Epoch = b.Parameters, b.Given, b.Groups, b.DestroyAt, b.Epoch
	life.Sources = b.Sources
	life.Nodes = make([]*Step, len(b.Nodes))
	steps := make([]Step, len(b.Nodes)) // one allocation: a graph may have 100,000 of them
	for i := range b.Nodes {
		steps[i] = Step{Node: b.Nodes[i], Status: Pending}
		life.Nodes[i] = &steps[i]
		life.takeBack(&steps[i])
	}
	*s = *life
	if err := s.link(); err != nil {
		return err
	}
	s.begin(Operation{Kind: CreateOperation, CommandID: b.CommandID, RequestedBy: b.RequestedBy, Executes: s.KeptPlan(b.Plan),
		FailFast: b.FailFast, Parallelism: b.Parallelism, StartedAt: at, Origin: b.Origin}, b.Adopts.command(b.Origin.command(event.EnvironmentCreate)))
	for i, n := range s.Nodes {
		n.adopted(b.Adopts)
		if n.made() {
			s.include(i, event.Apply)
		} else {
			s.leaveOut(i)
		}
	}
	s.release()
	return nil
}

// leaveOut lets a node take no part in the operation; it still holds the order between its neighbours: it passes it on. An action
// that has failed where it is not to run any more is none that has failed.
func (s *State) leaveOut(i int) {
	n := s.Nodes[i]
	n.Unmet = len(s.before(i))
	begun := n.Status == Pending || n.Status == Deploying // and left in doubt
	if n.Type == ActionNode && !n.made() && (begun || (n.Status == Failed && !n.Stale)) {
		n.Status = Idle
		s.touch(i)
	}
	if n.passes() && n.Status == Pending {
		s.touch(i) // what it uses of other environments is to be known from the beginning
	}
}

func (s *State) destroying(b StatusDestroying, at time.Time) {
	s.Status, s.Epoch, s.Error, s.DestroyHeld = Destroying, b.Epoch, nil, nil
	if b.Planned && !b.Hours {
		s.DestroyAt = nil // it is tried once by itself
	}
	s.begin(Operation{Kind: DestroyOperation, CommandID: b.CommandID, RequestedBy: b.RequestedBy, Executes: s.KeptPlan(b.Plan), Rules: s.Approvals, Force: b.Force, Hours: b.Hours, Groups: b.Groups,
		FailFast: b.FailFast, Parallelism: b.Parallelism, StartedAt: at}, event.EnvironmentDestroy)
	s.unpause(b.Resumes)
	if b.Steps != nil {
		s.destroyingPart(b.Steps)
		return
	}
	farewells := s.farewells()
	for i, n := range s.Nodes {
		n.Down = false
		s.takeDown(i, farewells[i])
	}
	s.release()
}

// takeDown makes a step of a node that is to be gone; where there is nothing to be done, it is. With its group alone, an action
// that is not for the making of the environment stays what it is.
func (s *State) takeDown(i int, farewell bool) {
	switch n := s.Nodes[i]; {
	case n.Exists && n.Type == ResourceNode:
		s.include(i, event.Destruct)
	case farewell:
		s.include(i, event.Apply)
	default:
		if !n.Down || n.made() || n.Type != ActionNode {
			n.Status, n.Exists = Destroyed, false
		}
		n.Verb, n.State, n.Endpoint, n.Health = "", "", nil, nil
		s.leaveOut(i)
		s.touch(i)
	}
}

// farewells are the actions that have to run before what they depend on is destroyed: not one that has, nor one of which
// some of that was never there.
func (s *State) farewells() map[int]bool {
	found := map[int]bool{}
	for i, n := range s.Nodes {
		missing := func(d int) bool { return !s.Nodes[d].applied() }
		if n.Doomed && !s.parts(n) {
			continue // the templates have done away with it, and not with what it depends on
		}
		if n.RunsOn(OnDestroy) && n.Status != Destroyed && !slices.ContainsFunc(n.depends, missing) {
			found[i] = true
		}
	}
	return found
}

// applied tells whether the node has been what it should be, and has not been destroyed since. An action that is not for
// the making of the environment is as it should be.
func (n *Step) applied() bool {
	return n.Status == Deployed || n.Outputs != nil || (n.Type == ActionNode && !n.made())
}

// destroyed: nothing is left that a state could tell about.
func (s *State) destroyed() {
	s.Status, s.Outputs, s.Entrypoints, s.Error = Destroyed, nil, nil, nil
	if s.Down = s.Operation.Hours && s.Next.Up != nil; !s.Down {
		s.Lock, s.Pauses, s.Next = nil, nil, Appointments{}
	}
	for _, n := range s.Nodes {
		n.StateHash = ""
	}
}

func (s *State) retrying(b StatusRetrying, at time.Time) {
	s.Status, s.Epoch, s.Error = Deploying, b.Epoch, nil
	s.begin(Operation{Kind: RetryOperation, CommandID: b.CommandID, RequestedBy: b.RequestedBy, Executes: s.KeptPlan(b.Plan), Rules: s.Approvals, FailFast: b.FailFast,
		Groups: b.Groups, Parallelism: b.Parallelism, StartedAt: at}, event.EnvironmentRetry)
	if b.Groups != nil {
		s.retryingPart(b.Steps)
		return
	}
	again := make([]bool, len(s.Nodes))
	for i, n := range s.Nodes {
		switch {
		case n.Doomed:
			s.doom(i)
		case !n.made() && !n.Stale:
			s.leaveOut(i)
		case n.Status != Deployed || n.Stale:
			again[i] = true
			s.renew(i)
		case n.Type == ResourceNode && slices.ContainsFunc(n.depends, func(d int) bool { return again[d] }):
			// What it depends on may put out something else this time.
			again[i], n.Stale = true, true
			s.renew(i)
		default:
			s.leaveOut(i)
		}
	}
	s.release()
}

// running begins an operation of one step.
func (s *State) running(b StatusRunning, at time.Time) error {
	i, ok := s.index[b.Action]
	if !ok {
		return errOutOfPlace(b.Type(), b.Action)
	}
	before := s.Status
	s.Status, s.Epoch = Running, b.Epoch
	s.begin(Operation{Kind: RunOperation, CommandID: b.CommandID, RequestedBy: b.RequestedBy, Parallelism: s.Operation.Parallelism, Before: before,
		StartedAt: at}, event.EnvironmentRun)
	s.include(i, event.Apply)
	s.Nodes[i].Unmet = 0
	s.ready(i)
	s.dirty.environment = true
	return nil
}

// renew has a node applied. One that is deployed stays so until that begins: it may turn out to be unchanged.
func (s *State) renew(i int) {
	if n := s.Nodes[i]; n.Status != Deployed {
		n.Status = Pending
	}
	s.include(i, event.Apply)
}

// doom has a node destroyed that the templates do not have any more.
func (s *State) doom(i int) {
	switch n := s.Nodes[i]; {
	case n.Exists && n.Type == ResourceNode:
		s.include(i, event.Destruct)
	case s.parts(n):
		s.include(i, event.Apply)
	default:
		s.leaveOut(i)
	}
}

// pause stops or lets go what is queued; the reason that is shown for it changes.
func (s *State) pause(p *Pause, commandID, command string) {
	s.Operation.Paused, s.Operation.Pause = p != nil, p
	s.remember(Outcome{CommandID: commandID, Command: command, Operation: s.Operation.ID})
	s.dirty.operation = true
	s.waitsOtherwise(func(*Step) bool { return true })
}

func holdKey(pool, executor string) string { return pool + "/" + executor }

func (n *Step) holdKey() string { return holdKey(n.PoolName(), n.ability()) }

// ability is what a runner of the pool has to have for the step: an executor, or a way to ask a status endpoint.
func (n *Step) ability() string {
	if n.Verb == event.Validate && n.Probe != "" {
		return n.Probe
	}
	return n.Executor
}

func (s *State) held(b Held) {
	if b.Reason == nil {
		delete(s.Operation.Holds, b.key())
	} else {
		if s.Operation.Holds == nil {
			s.Operation.Holds = map[string]Held{}
		}
		s.Operation.Holds[b.key()] = b
	}
	for i, n := range s.Nodes {
		if n.State != StateQueued || !b.holds(n) {
			continue
		}
		if b.Environment != "" {
			n.QueuedAt = s.UpdatedAt // waiting for another environment is no waiting for a runner
		}
		s.touch(i)
	}
}

// of is the output of another environment that steps wait for; empty where they wait for a pool.
func (b Held) of() Consumption { return Consumption{Environment: b.Environment, Output: b.Output} }

func (b Held) key() string {
	if b.Templates {
		return templatesKey
	}
	if b.Environment != "" {
		return b.of().Key()
	}
	return holdKey(b.Pool, b.Executor)
}

// holds tells whether it is about a step.
func (b Held) holds(n *Step) bool {
	if b.Templates {
		return n.evaluated()
	}
	if b.Environment != "" {
		return n.uses(b.of())
	}
	return n.PoolName() == b.Pool && n.ability() == b.Executor
}

func (s *State) validating() {
	s.Status, s.Operation.Validating = Validating, true
	for i, n := range s.Nodes {
		if (n.Probed || n.passes()) && !n.Doomed {
			s.include(i, event.Validate)
			n.Unmet, n.Status = 0, Validating
			s.ready(i)
		}
	}
}

// ready puts a step behind those that may run.
func (s *State) ready(i int) {
	s.Nodes[i].QueuedAt = s.UpdatedAt
	s.setState(i, StateQueued)
	s.Operation.Ready = append(s.Operation.Ready, i)
}

func (s *State) begin(o Operation, command string) {
	s.Operations++
	if o.Kind.looks() || o.Kind == RunOperation {
		o.Undone = s.undone()
	}
	o.ID, o.Status, o.Counts = operationID(s.Operations), OperationRunning, map[StepState]int{}
	s.Operation = &o
	s.overtake()
	s.remember(Outcome{CommandID: o.CommandID, Command: command, Operation: o.ID})
	s.dirty.operation = true
}

// include makes a node a step of the operation's present phase, blocked until release.
func (s *State) include(i int, verb event.Verb) {
	n := s.Nodes[i]
	n.Operation, n.Verb, n.State, n.Failures, n.Losses = s.Operation.ID, verb, "", 0, 0
	if verb != event.Validate {
		if s.Operation.Kind != RunOperation && !s.Operation.Kind.looks() { // a look leaves it as it is, and watched
			n.Endpoint, n.Health = nil, nil
		}
		n.Attempt = 0 // attempts are numbered through an operation, of which validating is a phase
	}
	n.Runner, n.Error, n.Because, n.Waiting, n.Progress, n.QueuedAt = "", nil, "", "", nil, time.Time{}
	n.Looking = false
	n.StartedAt, n.FinishedAt, n.NotBefore, n.AcceptBefore = time.Time{}, time.Time{}, time.Time{}, time.Time{}
	n.Unmet = len(s.before(i))
	if verb == event.Apply {
		n.CreatedBy = s.Operation.ID
	}
	s.Operation.Remaining++
	s.setState(i, StateBlocked)
}

// release finds what waits for nothing at the beginning of an operation.
func (s *State) release() {
	var free []int
	for i, n := range s.Nodes {
		if n.Unmet == 0 {
			free = append(free, i)
		}
	}
	if s.Operation.Kind == DestroyOperation {
		slices.Reverse(free)
	}
	for _, i := range free {
		s.free(i)
	}
}

// free makes a step ready whose last predecessor has ended; a node that takes no part passes it on. It uses a stack
// of its own, since a chain of nodes that take no part may be as long as the graph.
func (s *State) free(first int) {
	stack := []int{first}
	for len(stack) > 0 {
		i := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		switch n := s.Nodes[i]; {
		case !s.takesPart(n):
			stack = append(stack, s.countDown(i)...)
		case n.State == StateBlocked:
			s.ready(i)
		}
	}
}

// takesPart tells whether a node is a step of the present or last operation.
func (s *State) takesPart(n *Step) bool { return n.State != "" && n.Operation == s.Operation.ID }

// countDown tells the successors of a step that it no longer holds them up, and returns those that wait for nothing else.
func (s *State) countDown(i int) []int {
	var free []int
	for _, d := range s.after(i) {
		n := s.Nodes[d]
		n.Unmet--
		if n.Unmet == 0 {
			free = append(free, d)
		}
	}
	return free
}

func (s *State) cancelling(b Cancelling) {
	s.Operation.Status, s.Operation.Reason = OperationCancelling, b.Reason
	s.remember(Outcome{CommandID: b.CommandID, Command: event.EnvironmentCancel, Operation: b.Operation})
	s.dirty.operation = true
	for i, n := range s.Nodes {
		if n.State == StateSkipped && n.Because == "" && s.takesPart(n) {
			s.touch(i) // the reason that is shown for it changes
		}
	}
}

func (s *State) setState(i int, state StepState) {
	n, counts := s.Nodes[i], s.Operation.Counts
	if n.State != "" && counts[n.State] > 0 {
		counts[n.State]--
	}
	n.State = state
	counts[state]++
	s.touch(i)
}

// errOutOfPlace is what Evolve says of a fact that can't follow.
func errOutOfPlace(typ, step string) error {
	return fault.New(fault.GiveUp, fault.Internal, "the fact %s of step %q does not fit what came before it", typ, step)
}
