package orchestrator

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// intake reads a command just far enough to know whose it is, and hands it to the owner of that partition. What can't
// be read at all has nobody to be answered: it becomes a dead letter.
func (x *Orchestrator) intake(d bus.Delivery) {
	m := d.Message()
	e, err := event.Decode(m.Body)
	if err != nil {
		f := fault.From(err)
		x.Log.Warn("a command could not be read", "error", err)
		d.Dead(string(f.Code), f.Message)
		return
	}
	if e.Type == event.TypeOf(event.QueueMark) {
		d.Ack() // of a time when this side was a secondary
		return
	}
	x.forward(d, x.partitionOf(e.Subject))
}

// forward passes a delivery on, and lets go of it once the partition's queue has it.
func (x *Orchestrator) forward(d bus.Delivery, partition int) {
	m := *d.Message()
	m.To = bus.Address{Key: bus.Partition(partition)}
	err := x.Bus.Send(x.run, m, func(err error) {
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

// hello welcomes a runner, and tells every partition that an earlier one of its name is gone.
func (x *Orchestrator) hello(d bus.Delivery) {
	e, err := event.Decode(d.Message().Body)
	var h event.Hello
	if err == nil {
		err = json.Unmarshal(e.Data, &h)
	}
	if err != nil || h.Runner == "" {
		d.Dead(string(fault.Unreadable), "not the hello of a runner")
		return
	}
	w := event.Welcome{Cluster: x.Cluster, Epoch: x.Epoch, Partitions: x.Partitions, HeartbeatEvery: x.HeartbeatEvery}
	if len(h.PublicKey) == 32 {
		if w.WrappedKey, err = x.Box.Wrap((*[32]byte)(h.PublicKey)); err != nil {
			x.Log.Error("the cluster's key could not be wrapped for a runner", "runner", h.Runner, "error", err)
		}
	}
	x.Log.Info("a runner says hello", "runner", h.Runner, "pools", h.Pools, "executors", h.Executors)
	x.runners.hello(h, time.Now())
	m := d.Message()
	x.reply(m.ReplyTo, m.CorrelationID, event.TypeOf(event.RunnerWelcome), w)
	for n := range x.Partitions {
		x.send(bus.Message{To: bus.Address{Key: bus.Partition(n)}, ID: m.ID + "/" + bus.Partition(n), Body: m.Body,
			ContentType: event.ContentType, Type: e.Type}, "hello of a runner")
	}
	d.Ack()
}

// reply answers to the private queue of whoever asked; nobody asked when it is empty.
func (x *Orchestrator) reply(to, correlation, typ string, data any) {
	if to == "" {
		return
	}
	m := x.message(bus.Address{Key: to}, typ, data)
	m.CorrelationID, m.Transient = correlation, true
	x.send(m, "answer")
}

// message wraps data into a new envelope.
func (x *Orchestrator) message(to bus.Address, typ string, data any) bus.Message {
	body, _ := json.Marshal(data) // our own types: always JSON
	id := uuid.Must(uuid.NewV7()).String()
	now := time.Now().UTC()
	e := event.Envelope{SpecVersion: event.SpecVersion, ID: id, Source: x.source(), Type: typ, Time: &now,
		DataContentType: "application/json", Data: body}
	return bus.Message{To: to, ID: id, Type: typ, ContentType: event.ContentType, Body: e.Encode()}
}

func (x *Orchestrator) source() string { return "vivarium/" + x.Cluster }

// send publishes in the background what may be lost: it is said again, or lapses.
func (x *Orchestrator) send(m bus.Message, what string) {
	err := x.Bus.Send(x.run, m, func(err error) {
		if err != nil {
			x.Log.Warn("not confirmed by the bus", "what", what, "to", m.To.Key, "error", err)
		}
	})
	if err != nil {
		x.Log.Warn("not sent", "what", what, "to", m.To.Key, "error", err)
	}
}

// tick lets time pass in every partition: whoever owns it gets the tick, in order with everything else.
func (x *Orchestrator) tick() {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-x.run.Done():
			return
		case now := <-t.C:
			if !x.Bus.Status().Connected || !x.ready.Load() {
				continue
			}
			x.present(false)
			x.word(now)
			x.runners.expire(now)
			x.usage.expire(now)
			x.balance(now)
			x.tickAll(now)
		}
	}
}

func (x *Orchestrator) tickAll(now time.Time) {
	for n := range x.Partitions {
		m := x.message(bus.Address{Key: bus.Partition(n)}, event.TypeOf(event.PartitionTick),
			event.Tick{Partition: n, Server: x.Server, Time: now.UTC()})
		m.Expires, m.Transient = 2*time.Second, true
		x.send(m, "tick")
	}
}
