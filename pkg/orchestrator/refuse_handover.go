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
		mark := r.envelope(event.TypeOf(event.QueueMark), event.Mark{Server: r.id})
		if err := r.Bus.Publish(r.run, bus.Message{To: bus.Address{Key: bus.Commands}, ID: uuid.NewString(), Type: mark.Type,
			ContentType: event.ContentType, Body: mark.Encode()}); err != nil {
			return nil, err
		}
	}
	return r.Bus.Consume(r.run, bus.ConsumeOptions{Queue: bus.Commands, Prefetch: refuserPrefetch}, handle)
}

// handed is a command that is to be handed over.
type handed struct {
	bus.Delivery
	event.Envelope
}

// pass hands commands over in their order, as many at once as are there, and refuses those behind the mark.
func (r *Refuser) pass() {
	over, batch, size := false, []handed{}, 0
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
		case over || err != nil || len(body) > handOverBytes:
			r.handOver(batch)
			batch, size = nil, 0
			r.refuse(d)
			continue
		case e.Type == event.TypeOf(event.QueueMark):
			r.handOver(batch)
			batch, size = nil, 0
			over = r.run.Err() == nil && r.passedMark(e)
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

// passedMark tells whether the mark is this process's own: others were left by those that did not come to it.
func (r *Refuser) passedMark(e event.Envelope) bool {
	var m event.Mark
	if json.Unmarshal(e.Data, &m) != nil || m.Server != r.id {
		return false
	}
	r.Log.Info("all commands that were sent to this side while it was the primary are handed over")
	if r.HandedOver != nil {
		r.HandedOver()
	}
	return true
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
				r.answer(w.Delivery, answers[i])
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

// answer replies to a command, and lets go of it then.
func (r *Refuser) answer(d bus.Delivery, a event.Answer) {
	m := d.Message()
	if m.ReplyTo == "" {
		d.Ack()
		return
	}
	e := r.envelope(event.AnswerType, a)
	err := r.Bus.Send(context.WithoutCancel(r.run), bus.Message{To: bus.Address{Key: m.ReplyTo}, ID: e.ID, Type: event.AnswerType, ContentType: event.ContentType,
		CorrelationID: m.CorrelationID, Transient: true, Body: e.Encode()}, func(err error) {
		if err != nil {
			d.Requeue(time.Second)
			return
		}
		d.Ack()
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
