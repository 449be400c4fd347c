package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/plan"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// turn is one round of a partition: what was decided on a batch of deliveries, until it is committed.
type turn struct {
	p          *partition
	ctx        context.Context
	now        time.Time
	deliveries []bus.Delivery
	batch      store.Batch
	tasks      []bus.Message
	controls   []bus.Message
	answers    []answer
	plans      map[string]*plan.Plan // of environments created in this turn
	executing  map[string]*plan.Plan // what a decision may begin to carry out
	states     states
	late       []bus.Delivery // states that were refused
	marked     bool           // a mark of this server has come

	others map[string]*environment.Record // environments that were asked about; nil: not there
}

type answer struct {
	to, correlation string
	event.Answer
}

// process decides on a batch and commits it. While the store can't be used the batch is held and tried again, since
// what stands behind it in the queue may depend on it.
func (p *partition) process(deliveries []bus.Delivery) {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		err := p.attempt(deliveries)
		if err == nil {
			return
		}
		p.forget()
		if p.complain(err) {
			p.giveBack(deliveries)
			return
		}
		select {
		case <-time.After(wait):
		case <-p.quit:
			p.giveBack(deliveries)
			return
		}
	}
}

// attempt is one try of process. When it fails nothing has happened but what is in memory.
func (p *partition) attempt(deliveries []bus.Delivery) error {
	if err := p.mayAct(); err != nil {
		return err
	}
	if p.memory == nil {
		if err := p.load(p.run); err != nil {
			return err
		}
	}
	t := &turn{p: p, ctx: p.run, now: p.Now().UTC(), plans: map[string]*plan.Plan{}, executing: map[string]*plan.Plan{}}
	t.batch = store.Batch{Partition: p.number, Epoch: p.Epoch}
	for _, d := range deliveries {
		if err := t.deliver(d); err != nil {
			return err
		}
	}
	if len(deliveries) == 0 {
		t.offerLooks() // there may be room; who has just had some waits for its turn, or for the next tick
	}
	if err := errors.Join(t.wake(), t.commit()); err != nil {
		return err
	}
	t.publish()
	return nil
}

// complain logs why a turn could not be committed, and tells whether this server has to leave the partition.
func (p *partition) complain(err error) (leave bool) {
	switch {
	case errors.Is(err, store.ErrConflict):
		p.Log.Warn("another server owns the partition, or did: loading it again", "partition", p.number)
	case errors.Is(err, store.ErrStaleEpoch):
		p.Log.Error("a higher epoch is in force: this server no longer acts", "partition", p.number, "epoch", p.Epoch)
		p.running.Go(func() { _ = p.unsubscribe(p.run) })
		return true
	case p.run.Err() != nil:
		return true
	case lostAuthority(err):
		p.Log.Debug("what came in is held: this side may not act", "partition", p.number)
	default:
		p.Log.Error("the store can't be used; what came in is held and tried again", "partition", p.number, "error", err)
	}
	return false
}

func (p *partition) giveBack(deliveries []bus.Delivery) {
	for _, d := range deliveries {
		d.Requeue(0)
	}
}

// deliver turns one delivery into an input and decides on it. An error means that nothing of the turn counts; a
// delivery that can't be read is dropped into the dead letters and is no error.
func (t *turn) deliver(d bus.Delivery) error {
	m := d.Message()
	t.states.coming, t.states.refused = "", false
	e, err := event.Decode(m.Body)
	if err == nil {
		name, _ := event.NameOf(e.Type)
		if handle, known := messages[name]; known {
			err = handle(t, e.Data)
		} else {
			err = t.command(m, e, name)
		}
	}
	if f := (*fault.Error)(nil); errors.As(err, &f) && f.Disposition == fault.Reject {
		d.Dead(string(f.Code), f.Message)
		return nil
	}
	switch {
	case err != nil:
	case t.states.refused:
		t.late = append(t.late, d)
	default:
		t.deliveries = append(t.deliveries, d)
	}
	return err
}

// messages are what runners and the server itself put into a partition's queue; everything else is a command.
var messages = map[string]func(*turn, json.RawMessage) error{
	event.TaskAccepted: on(func(t *turn, m event.Accepted) error {
		if _, look := t.unasked(m.TaskRef, false); look {
			return nil
		}
		return t.decide(m.Environment, environment.AcceptedInput{Accepted: m})
	}),
	event.TaskRefused: on(func(t *turn, m event.Refused) error {
		if _, look := t.unasked(m.TaskRef, true); look {
			return nil
		}
		return t.decide(m.Environment, environment.RefusedInput{Refused: m})
	}),
	event.TaskFinished: on(func(t *turn, m event.Result) error {
		if operation, look := t.unasked(m.TaskRef, true); look {
			return t.seen(operation, m)
		}
		t.states.coming = m.SavedPlan
		return t.decide(m.Environment, environment.ResultInput{Result: m})
	}),
	event.TaskState:       on((*turn).save),
	event.RunnerHeartbeat: on((*turn).heartbeat),
	event.HealthReported:  on((*turn).reported),
	event.RunnerHello:     on((*turn).hello),
	event.PartitionTick:   on((*turn).tick),
	event.QueueMark:       on((*turn).mark),
}

func on[M any](handle func(*turn, M) error) func(*turn, json.RawMessage) error {
	return func(t *turn, data json.RawMessage) error {
		var m M
		if err := json.Unmarshal(data, &m); err != nil {
			return fault.Wrap(err, fault.Reject, fault.Unreadable, "the message's data can't be read: %v", err)
		}
		return handle(t, m)
	}
}

func (t *turn) heartbeat(m event.Heartbeat) error {
	progress := map[event.TaskRef]*event.Progress{}
	for i := range m.Progress {
		progress[m.Progress[i].TaskRef] = &m.Progress[i].Progress
	}
	for _, ref := range m.Tasks {
		if err := t.decide(ref.Environment, environment.HeartbeatInput{Runner: m.Runner, TaskRef: ref, Progress: progress[ref]}); err != nil {
			return err
		}
	}
	return nil
}

func (t *turn) hello(m event.Hello) error {
	return t.decideBusy(environment.RunnerStartedInput{Name: m.Name, Runner: m.Runner})
}

func (t *turn) tick(m event.Tick) error {
	t.p.heard.Store(time.Now().UnixNano())
	for name := range t.p.busy {
		t.cancelAgain(t.p.states[name])
	}
	if t.p.Policy.OnlyLooks {
		return t.decideBusy(environment.TickInput{})
	}
	if err := t.watch(); err != nil {
		return err
	}
	err := errors.Join(t.decideBusy(environment.TickInput{}), t.decideImminent())
	if err == nil {
		t.lookAround()
	}
	return err
}

// decideImminent looks for environments whose planned destruction is due, or to be announced.
func (t *turn) decideImminent() error {
	for name, s := range t.p.states {
		if !t.p.decider.Imminent(s, t.now) {
			continue
		}
		if err := t.decide(name, environment.TickInput{}); err != nil {
			return err
		}
	}
	return nil
}

// wake decides on backoffs that have passed since; it is what a turn without deliveries is for.
func (t *turn) wake() error {
	for name := range t.p.busy {
		if t.p.states[name].Due(t.now) {
			if err := t.decide(name, environment.TickInput{}); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *turn) decideBusy(in environment.Input) error {
	names := make([]string, 0, len(t.p.busy))
	for name := range t.p.busy {
		names = append(names, name)
	}
	for _, name := range names {
		if err := t.decide(name, in); err != nil {
			return err
		}
	}
	return nil
}

// decide lets the decider decide, and keeps what has to be journalled, published and offered.
func (t *turn) decide(name string, in environment.Input) error {
	s, err := t.p.memory.State(t.ctx, name)
	if err != nil {
		return err
	}
	d := t.p.decider.Decide(s, t.around(name, t.resolver(name)), in, t.now)
	return t.record(s, d.Facts)
}

func (t *turn) record(s *environment.State, facts []environment.Fact) error {
	if t.states.err != nil {
		return t.states.err // what was decided without the store's answer does not count
	}
	for _, f := range facts {
		if err := t.entry(s, f); err != nil {
			return err
		}
		t.follow(s, f.Body)
	}
	t.carriedOut(s.Name, facts)
	for _, place := range s.Released() {
		t.states.saved = append(t.states.saved, store.StepState{Environment: s.Name, Step: place})
	}
	if len(facts) == 0 {
		return nil
	}
	if s.Busy() {
		t.p.busy[s.Name] = struct{}{}
	} else {
		delete(t.p.busy, s.Name)
		delete(t.plans, s.Name) // it may be what was only thought of
		t.p.plans.drop(s.Name)
		if s.Queued != nil {
			return t.begin(s)
		}
	}
	return nil
}

func (t *turn) entry(s *environment.State, f environment.Fact) error {
	data, err := json.Marshal(f.Body)
	if err != nil {
		return err
	}
	e := store.Entry{Partition: t.p.number, Seq: t.p.memory.Seq + uint64(len(t.batch.Entries)) + 1, Environment: s.Name,
		Type: f.Body.Type(), Time: f.At, Epoch: t.p.Epoch, Data: data}
	if s.Operation != nil {
		e.Operation, e.Causation = s.Operation.ID, s.Operation.CommandID
	}
	switch b := f.Body.(type) {
	case environment.CommandRejected:
		e.Operation, e.Causation = "", b.CommandID
	case environment.CommandQueued:
		e.Operation, e.Causation = "", b.CommandID
	case environment.QueueDropped:
		e.Operation, e.Causation = "", b.CommandID
	}
	t.batch.Entries = append(t.batch.Entries, e)
	return nil
}

// follow prepares what a fact asks for beyond being published.
func (t *turn) follow(s *environment.State, b environment.Body) {
	t.followStates(s, b)
	switch b := b.(type) {
	case environment.StepWaiting:
		t.offer(s, b)
	case environment.Cancelling:
		t.cancelAgain(s)
	}
}

// commit writes the turn in one transaction.
func (t *turn) commit() error {
	if t.states.err != nil {
		return t.states.err
	}
	if len(t.batch.Entries) == 0 {
		return t.current()
	}
	store.Chain(t.p.memory.Chain, t.batch.Entries) // now that nothing is added to them any more
	if err := t.p.memory.Fill(&t.batch); err != nil {
		return err
	}
	t.batch.States = t.states.saved
	if err := t.p.mayAct(); err != nil {
		return err
	}
	if err := t.p.Store.Append(t.ctx, t.batch); err != nil {
		return err
	}
	t.p.memory.Committed(t.batch)
	return nil
}

// current holds a turn that writes nothing against the journal. A server that had the partition before, and has it again, may remember what was then: to what it
// writes by that the store objects, but a result that it merely does not know of would be acknowledged, and lost. Whatever a delivery follows from was written
// before it was sent, so what is in the store now is enough.
func (t *turn) current() error {
	if len(t.deliveries)+len(t.late) == 0 {
		return nil
	}
	head, err := t.p.Store.Head(t.ctx, t.p.number)
	if err == nil && head.Seq != t.p.memory.Seq {
		return fmt.Errorf("%w: it has %d entries, and %d were known", store.ErrConflict, head.Seq, t.p.memory.Seq)
	}
	return err
}

// publish is what follows from a commit: nothing here has to succeed for the journal to stay true.
func (t *turn) publish() {
	if t.p.mayAct() != nil {
		t.tasks, t.answers = nil, nil // offers lapse, and whoever asks again is answered by whoever acts then
	}
	for name, pl := range t.plans {
		if s := t.p.states[name]; s != nil && s.Busy() {
			t.p.plans.put(name, pl)
		}
	}
	t.p.sendTasks(t.ctx, t.p.memory.Seq, t.tasks)
	for _, a := range t.answers {
		t.p.reply(a.to, a.correlation, event.AnswerType, a.Answer)
	}
	for _, m := range t.controls {
		t.p.send(m, "word to runners")
	}
	for _, d := range t.deliveries {
		d.Ack()
	}
	for _, d := range t.late {
		// It may tell of something that was made and that nobody else knows of, so it is not merely dropped.
		d.Dead(string(fault.Conflict), "the state of a step comes from an attempt that is not the one under way; the journal has its SHA-256 (result.refused)")
	}
	t.p.relay.add(t.batch.Entries)
	t.passMark()
}
