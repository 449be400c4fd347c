package environment

import "time"

func (s *State) record(partition int, at mark) Record {
	r := Record{Name: s.Name, Status: s.Status, Description: s.Description, Tags: s.Tags, Templates: s.Templates,
		Parameters: s.Parameters, Given: s.Given, Outputs: s.Outputs, Entrypoints: s.Entrypoints, Groups: s.Groups, Error: s.Error,
		Sources: s.Sources, Resources: map[Status]int{}, Approvals: s.Approvals, Awaiting: s.awaiting(), DestroyAt: s.DestroyAt, DestroyHeld: s.DestroyHeld, Lock: s.Lock, Queued: s.queued(), Standing: s.standing(), Next: s.Next.list(),
		Retained: s.retainedList(), CreatedAt: s.CreatedAt, UpdatedAt: at.time,
		Partition: partition, Epoch: s.Epoch}
	if s.Tags == nil {
		r.Tags = []string{}
	}
	if s.Operation != nil {
		r.Operation = s.Operation.ID
	}
	r.Down, r.Paused = s.downGroups(), s.Pauses
	r.Health = s.healthSummary()
	for _, n := range s.real() {
		r.Resources[n.Status]++
		if n.Identity != "" {
			r.Moved = with(r.Moved, n.Address, n.Identity)
		}
		if n.Drift.Off() {
			r.Drifted++
		}
		if n.State == StateUncertain {
			r.Uncertain++
		}
	}
	return r
}

func (s *State) operationRecord() OperationRecord {
	o := s.Operation
	plan := o.Plan
	if o.FinishedAt.IsZero() && o.Awaits == nil {
		plan = nil // it would be written anew with every step
	}
	return OperationRecord{ID: o.ID, Environment: s.Name, Kind: o.Kind, Status: o.Status, CommandID: o.CommandID,
		RequestedBy: o.RequestedBy, FailFast: o.FailFast, Force: o.Force, Parallelism: o.Parallelism, Groups: o.Groups, Paused: o.Paused, Pause: o.Pause,
		Steps: o.counts(), Error: o.Error, Origin: o.Origin, StartedAt: o.StartedAt,
		FinishedAt: timePtr(o.FinishedAt), Plan: plan, Executes: o.Executes.id(), Awaiting: s.awaiting()}
}

func (o *Operation) counts() map[StepState]int {
	counts := make(map[StepState]int, len(o.Counts))
	for state, n := range o.Counts {
		if n > 0 {
			counts[state] = n
		}
	}
	return counts
}

func (s *State) resourceRecord(n *Step, at mark) ResourceRecord {
	r := ResourceRecord{Node: n.Node, Environment: s.Name, Status: n.Status, Inputs: n.Inputs, Outputs: n.Outputs, Health: n.Health,
		CreatedBy: n.CreatedBy, Drift: n.Drift, HealGaveUp: n.GaveUp, UpdatedAt: at.time}
	if n.State != "" && s.Operation != nil {
		r.Step = StepRecord{Operation: n.Operation, Verb: n.Verb, State: n.State, Attempt: n.Attempt,
			Failures: n.Failures, Runner: n.Runner, Reason: s.reason(n), Error: n.Error,
			StartedAt: timePtr(n.StartedAt), FinishedAt: timePtr(n.FinishedAt), Progress: n.Progress, Doubt: n.Doubt}
	}
	return r
}

// reason says why a step does not run. It holds what stays true until the record is written again; which of several
// dependencies are still to come is for the reader to see from their records.
func (s *State) reason(n *Step) *Reason {
	switch n.State {
	case StateBlocked:
		return &Reason{Code: BecauseDependency, Detail: "waits for what it depends on"}
	case StateQueued:
		return s.queuedReason(n)
	case StateWaiting:
		if n.Losses > 0 {
			return &Reason{Code: BecauseNoRunner, Detail: "no runner of pool \"" + n.PoolName() +
				"\" has taken it yet: start one, or wait until one is free", Until: timePtr(n.AcceptBefore)}
		}
		return &Reason{Code: BecauseOffered, Detail: "offered to the runners of pool \"" + n.PoolName() + "\"", Until: timePtr(n.AcceptBefore)}
	case StateUncertain:
		if n.Doubt == nil {
			return nil // it was just settled
		}
		return &Reason{Code: BecauseUncertain, Detail: n.Doubt.Detail + "; look yourself, and settle it"}
	case StateSkipped:
		if n.Because != "" {
			return &Reason{Code: BecauseDependencyFailed, Detail: n.Because + " failed: mend it, and retry the environment"}
		}
		if !s.takesPart(n) {
			return &Reason{Code: BecauseCancelled} // why the operation before was stopped, only its own record tells
		}
		return &Reason{Code: BecauseCancelled, Detail: s.Operation.Reason}
	}
	return nil
}

func (s *State) queuedReason(n *Step) *Reason {
	hold, held := s.Operation.Holds[n.holdKey()]
	awaited := s.awaited(n)
	switch {
	case n.held():
		return approvalReason(n.Asked.Hold, s.Operation.RequestedBy)
	case s.Operation.Paused:
		return s.Operation.Pause.reason()
	case s.paused(n) != nil:
		return s.paused(n).reason()
	case n.evaluated() && s.Operation.Holds[templatesKey].Reason != nil:
		return s.Operation.Holds[templatesKey].Reason
	case awaited != nil:
		return awaited
	case !n.NotBefore.IsZero():
		r := &Reason{Code: n.Waiting, Detail: "the last attempt came to nothing; there will be another one", Until: timePtr(n.NotBefore)}
		if n.Error != nil {
			r.Detail = n.Error.Message
		}
		return r
	case held:
		return hold.Reason
	case n.Doubt != nil:
		return &Reason{Code: BecauseUncertain, Detail: "it was in flight when its side was lost: it is looked at first"}
	}
	return &Reason{Code: BecauseEnvironmentLimit, Detail: "as many steps run as this environment may have at once"}
}

// DefaultPool is the pool of nodes that ask for none.
const DefaultPool = "default"

// PoolName is the pool whose runners carry the node out.
func (n Node) PoolName() string {
	if n.Pool == "" {
		return DefaultPool
	}
	return n.Pool
}

func timePtr(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
