package runner

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/resilience"
)

// persist is how a message that has to arrive is sent: again and again until the context ends.
var persist = resilience.Policy{Backoff: 100 * time.Millisecond, MaxBackoff: 5 * time.Second, Deadline: publishDeadline}

// about makes a message on a task for the owner of its partition.
func (r *Runner) about(task *event.Task, cause event.Envelope, name string, data any) bus.Message {
	partition, epoch := task.Partition, task.Epoch
	e := event.Envelope{
		Subject: task.Environment, Partition: &partition, Epoch: &epoch,
		CausationID: cause.ID, CorrelationID: cause.CorrelationID,
		TraceParent: task.TraceParent, TraceState: cause.TraceState,
	}
	return r.message(bus.Partition(partition), name, e, data)
}

// toOwner makes a message on an environment for the owner of its partition.
func (r *Runner) toOwner(partition int, epoch uint64, environment, name string, data any) bus.Message {
	return r.message(bus.Partition(partition), name, event.Envelope{Subject: environment, Partition: &partition, Epoch: &epoch}, data)
}

// message fills in what all messages have in common.
func (r *Runner) message(queue, name string, e event.Envelope, data any) bus.Message {
	now := time.Now().UTC()
	e.SpecVersion, e.Source, e.Type, e.Time = event.SpecVersion, "vivarium/runner/"+r.o.Name, event.TypeOf(name), &now
	e.ID = r.id + "/" + strconv.FormatUint(r.messages.Add(1), 36)
	e.DataContentType, e.Data = "application/json", encode(data)
	m := bus.Message{
		To: bus.Address{Key: queue}, ID: e.ID, Type: e.Type, ContentType: event.ContentType,
		CorrelationID: e.CorrelationID, Body: e.Encode(),
	}
	if e.TraceParent != "" {
		m.Headers = map[string]string{"traceparent": e.TraceParent}
		if e.TraceState != "" {
			m.Headers["tracestate"] = e.TraceState
		}
	}
	return m
}

// encode writes the runner's own types; the JSON that executors made was checked before it came into them.
func encode(data any) json.RawMessage {
	body, err := json.Marshal(data)
	if err != nil {
		panic(fmt.Sprintf("runner: %T can't be written: %v", data, err))
	}
	return body
}

// send waits for the broker's confirm; many may wait at once without holding each other up.
func (r *Runner) send(ctx context.Context, m bus.Message) error {
	confirmed := make(chan error, 1)
	if err := r.o.Bus.Send(ctx, m, func(err error) { confirmed <- err }); err != nil {
		return err
	}
	select {
	case err := <-confirmed:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
