package runner

import (
	"context"
	"encoding/json"
	"time"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// measureWithin bounds one measurement.
const measureWithin = 20 * time.Second

// measure tells all servers what a resource uses, for as long as one of them wants to know.
func (x *watcher) measure(ctx context.Context) {
	for first := true; first || x.rest(ctx, measureEvery); first = false {
		m := event.ResourceUsage{Environment: x.key.environment, Step: x.key.step, Runner: x.of.runner.id}
		usage, err := x.usage(ctx)
		if err != nil {
			m.Error = brief(fault.From(err).Message, tellHealth)
		}
		m.Usage = usage
		if m.Usage.Time.IsZero() {
			m.Usage.Time = time.Now().UTC()
		}
		x.tellUsage(ctx, m)
	}
}

func (x *watcher) tellUsage(ctx context.Context, u event.ResourceUsage) {
	m := x.of.runner.message("", event.UsageReported, event.Envelope{}, u)
	m.To, m.Transient, m.Expires = topicRunners, true, measureEvery
	ctx, cancel := context.WithTimeout(ctx, reportWithin)
	defer cancel()
	if err := x.of.runner.send(ctx, m); err != nil && ctx.Err() == nil {
		x.of.runner.log.Debug("usage may not have arrived", "step", x.key.step, "error", err)
	}
}

// usage asks the executor. What it says in an error is masked, as in a task.
func (x *watcher) usage(ctx context.Context) (u event.Usage, err error) {
	defer func() {
		if found := recover(); found != nil {
			x.of.runner.log.Error("an executor panicked while it measured", "executor", x.watch.Executor)
			err = fault.New(fault.GiveUp, fault.Internal, "executor %q failed in a way that nobody foresaw", x.watch.Executor)
		}
	}()
	meter, ok := x.of.runner.executors[x.watch.Executor].(executor.Meter)
	if !ok {
		return u, fault.New(fault.GiveUp, fault.Invalid, "resources of the executor %q can't be measured", x.watch.Executor)
	}
	r, mask, err := x.request()
	if err != nil {
		return u, err
	}
	select {
	case x.of.looks <- struct{}{}:
		defer func() { <-x.of.looks }()
	case <-ctx.Done():
		return u, ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, measureWithin)
	defer cancel()
	if u, err = meter.Usage(ctx, r); err != nil {
		return event.Usage{}, mask.fault(fault.From(err))
	}
	return u, nil
}

// request opens what came with the watch.
func (x *watcher) request() (executor.Request, *masker, error) {
	r := executor.Request{TaskRef: event.TaskRef{Environment: x.key.environment, Operation: x.key.operation, Step: x.key.step,
		Partition: x.partition, Epoch: x.epoch}, Log: func(string, string) {}}
	box := x.of.runner.Box()
	if box == nil {
		return r, nil, fault.New(fault.Retry, fault.SecretUnavailable, "the runner has no key yet to open the inputs with")
	}
	for _, doc := range []struct {
		from json.RawMessage
		to   *json.RawMessage
	}{{x.watch.Inputs, &r.Inputs}, {x.watch.Outputs, &r.Outputs}} {
		clear, found, err := box.Open(doc.from)
		if err != nil {
			return r, nil, fault.Wrap(err, fault.GiveUp, fault.SecretUnavailable, "a secret of the resource can't be opened")
		}
		*doc.to, r.Secrets = clear, append(r.Secrets, found...)
	}
	var err error
	r.WorkDir, err = x.of.runner.folders.work(r.TaskRef)
	return r, newMasker(r.Secrets), err
}
