package orchestrator

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Bounds of what is handed over in one request.
const (
	handOverBytes = 2 << 20
	// handOverPause is between two attempts while the other side can't take what is handed over.
	handOverPause = time.Second
	// markAgain is how often a mark is put behind what waits until one has come: others of this side read the queue, too, and may get it.
	markAgain = 5 * time.Second
)

// begin consumes commands. Where they are to be handed over, a mark behind those that are there tells when that is over.
func (r *Refuser) begin() (bus.Subscription, error) {
	handle := r.refuse
	if r.HandOver != nil {
		handle = func(d bus.Delivery) {
			select {
			case r.passing <- d:
			case <-r.run.Done():
				d.Requeue(0)
			}
		}
		if err := r.mark(); err != nil {
			return nil, err
		}
	}
	return r.Bus.Consume(r.run, bus.ConsumeOptions{Queue: bus.Commands, Prefetch: refuserPrefetch}, handle)
}

// mark puts a mark behind what waits.
func (r *Refuser) mark() error {
	r.marked = time.Now()
	mark := r.envelope(event.TypeOf(event.QueueMark), event.Mark{Server: r.id, Time: r.marked.UTC()})
	return r.Bus.Publish(r.run, bus.Message{To: bus.Address{Key: bus.Commands}, ID: uuid.NewString(), Type: mark.Type,
		ContentType: event.ContentType, Body: mark.Encode()})
}

// remark does so again while no mark has come.
func (r *Refuser) remark() {
	if r.HandOver == nil || r.over.Load() || time.Since(r.marked) < markAgain {
		return
	}
	if err := r.mark(); err != nil && r.run.Err() == nil {
		r.Log.Warn("the end of what is to be handed over can't be marked now", "error", err)
	}
}

// handed is a command that is to be handed over.
type handed struct {
	bus.Delivery
	event.Envelope
}

// pass hands commands over in their order, as many at once as are there, and refuses those behind the mark.
func (r *Refuser) pass() {
	batch, size := []handed{}, 0
	for {
		d, more := r.next(len(batch) > 0)
		if more && d == nil { // nothing else is there
			r.handOver(batch)
			batch, size = nil, 0
			continue
		}
		if !more {
			for _, w := range batch {
				w.Requeue(0)
			}
			return
		}
		body := d.Message().Body
		e, err := event.Decode(body)
		switch {
		case r.over.Load() || err != nil || len(body) > handOverBytes:
			r.handOver(batch)
			batch, size = nil, 0
			r.refuse(d)
			continue
		case e.Type == event.TypeOf(event.QueueMark):
			r.handOver(batch)
			batch, size = nil, 0
			if r.run.Err() == nil {
				r.passMark(e)
			}
			d.Ack()
			continue
		case size+len(body) > handOverBytes:
			r.handOver(batch)
			batch, size = nil, 0
		}
		batch, size = append(batch, handed{d, e}), size+len(body)
	}
}

// next is the next delivery; nil where none is there and the caller does not want to wait. more is false at the end.
func (r *Refuser) next(hurry bool) (d bus.Delivery, more bool) {
	if r.run.Err() != nil {
		return nil, false
	}
	if hurry {
		select {
		case d := <-r.passing:
			return d, true
		default:
			return nil, true
		}
	}
	select {
	case d := <-r.passing:
		return d, true
	case <-r.run.Done():
		return nil, false
	}
}

// passMark takes a mark that was made since this process began: others were left by those that did not come to them.
func (r *Refuser) passMark(e event.Envelope) {
	var m event.Mark
	if json.Unmarshal(e.Data, &m) != nil || m.Server != r.id && !m.Time.After(r.begun) {
		return
	}
	r.over.Store(true)
	r.Log.Info("all commands that were sent to this side while it was the primary are handed over")
	if r.HandedOver != nil {
		r.HandedOver()
	}
}

// handOver gives commands to who takes them, until they are answered, and passes the answers on. What is left at the end stays
// on the bus.
func (r *Refuser) handOver(batch []handed) {
	bodies := make([]json.RawMessage, len(batch))
	for i, w := range batch {
		bodies[i] = w.Message().Body
	}
	for len(batch) > 0 && r.run.Err() == nil {
		answers, err := r.HandOver(r.run, bodies)
		if err == nil && len(answers) == len(batch) {
			r.Log.Info("commands were handed over to the primary", "commands", len(batch))
			for i, w := range batch {
				r.answer(w.Delivery, answers[i], bus.Delivery.Ack)
			}
			return
		}
		r.Log.Warn("commands can't be handed over now; it is tried again", "commands", len(batch), "error", err)
		select {
		case <-r.run.Done():
		case <-time.After(handOverPause):
		}
	}
	for _, w := range batch {
		w.Requeue(0)
	}
}

// leave gives back what was delivered and not seen to.
func (r *Refuser) leave() {
	for {
		select {
		case d := <-r.passing:
			d.Requeue(0)
		default:
			return
		}
	}
}

func (r *Refuser) envelope(typ string, data any) event.Envelope {
	body, _ := json.Marshal(data) // our own types: always JSON
	now := time.Now().UTC()
	return event.Envelope{SpecVersion: event.SpecVersion, ID: uuid.Must(uuid.NewV7()).String(), Source: "vivarium/" + r.Cluster, Type: typ, Time: &now,
		DataContentType: "application/json", Data: body}
}

// answer replies to a command, and lets go of it then; where nobody is there to hear it, unheard does.
func (r *Refuser) answer(d bus.Delivery, a event.Answer, unheard func(bus.Delivery)) {
	m := d.Message()
	if m.ReplyTo == "" {
		unheard(d)
		return
	}
	e := r.envelope(event.AnswerType, a)
	err := r.Bus.Send(context.WithoutCancel(r.run), bus.Message{To: bus.Address{Key: m.ReplyTo}, ID: e.ID, Type: event.AnswerType, ContentType: event.ContentType,
		CorrelationID: m.CorrelationID, Transient: true, Body: e.Encode()}, func(err error) {
		switch {
		case err == nil:
			d.Ack()
		case fault.Is(err, fault.NotFound):
			unheard(d) // who asked is gone
		default:
			d.Requeue(time.Second)
		}
	})
	if err != nil {
		d.Requeue(time.Second)
	}
}

func (r *Refuser) reason() *fault.Error {
	where := ""
	if at := r.Primary(); at != "" {
		where = " (" + at + ")"
	}
	return fault.New(fault.Reject, fault.NotPrimary, "this is a secondary and takes no commands: send it to the primary cluster %q%s, or promote this one", r.Cluster, where)
}
