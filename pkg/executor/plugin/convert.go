package plugin

import (
	"encoding/json"
	"errors"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/plugin/internal/wire"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

func toRequest(r executor.Request) *wire.Request {
	w := &wire.Request{
		Environment: r.Environment, Operation: r.Operation, Step: r.Step, Attempt: int64(r.Attempt), Partition: int64(r.Partition), Epoch: r.Epoch,
		Inputs: r.Inputs, Secrets: r.Secrets, Outputs: r.Outputs, Plan: r.Plan, State: r.State, Bundle: r.Bundle, WorkDir: r.WorkDir,
	}
	if len(r.Unknown) > 0 {
		w.Unknown = map[string]*wire.Names{}
		for path, until := range r.Unknown {
			w.Unknown[path] = &wire.Names{Names: until}
		}
	}
	return w
}

func fromRequest(w *wire.Request) executor.Request {
	r := executor.Request{
		TaskRef: event.TaskRef{
			Environment: w.GetEnvironment(), Operation: w.GetOperation(), Step: w.GetStep(),
			Attempt: int(w.GetAttempt()), Partition: int(w.GetPartition()), Epoch: w.GetEpoch(),
		},
		Inputs: w.GetInputs(), Secrets: w.GetSecrets(), Outputs: w.GetOutputs(), Plan: w.GetPlan(), State: w.GetState(),
		Bundle: w.GetBundle(), WorkDir: w.GetWorkDir(), Log: func(string, string) {},
	}
	for path, until := range w.GetUnknown() {
		if r.Unknown == nil {
			r.Unknown = map[string][]string{}
		}
		r.Unknown[path] = until.GetNames()
	}
	return r
}

// toFault is nil for no error.
func toFault(err error) *wire.Fault {
	if err == nil {
		return nil
	}
	f := fault.From(err)
	return &wire.Fault{Code: string(f.Code), Message: f.Message, Disposition: string(f.Disposition)}
}

// fromFault holds what a plugin says to what there is, and takes the request's secrets out of it.
func fromFault(r executor.Request, f *wire.Fault) error {
	if f == nil {
		return nil
	}
	d, code := fault.Disposition(f.GetDisposition()), fault.Code(f.GetCode())
	switch d {
	case fault.Retry, fault.Wait, fault.GiveUp, fault.Reject:
	default:
		d = fault.Retry
	}
	if code == "" {
		code = fault.ExecutorFailed
	}
	return fault.Wrap(errors.New("a plugin says so"), d, code, "%s", r.Mask(f.GetMessage()))
}

func toDifferences(list []event.Difference) (w []*wire.Difference) {
	for _, d := range list {
		w = append(w, &wire.Difference{Path: d.Path, Change: string(d.Change), Before: d.Before, After: d.After, Sensitive: d.Sensitive, Until: d.Until})
	}
	return w
}

func fromDifferences(r executor.Request, w []*wire.Difference) (list []event.Difference) {
	for _, d := range w {
		list = append(list, event.Difference{
			Path: r.Mask(d.GetPath()), Change: event.Change(d.GetChange()), Sensitive: d.GetSensitive(), Until: d.GetUntil(),
			Before: r.Mask(d.GetBefore()), After: r.Mask(d.GetAfter()),
		})
	}
	return list
}

func toPlan(p executor.Plan) *wire.Plan {
	return &wire.Plan{Change: string(p.Change), Differences: toDifferences(p.Differences), Until: p.Until, Saved: p.Saved}
}

func fromPlan(r executor.Request, w *wire.Plan) executor.Plan {
	return executor.Plan{Saved: w.GetSaved(), Plan: event.Plan{
		Change: event.Change(w.GetChange()), Differences: fromDifferences(r, w.GetDifferences()), Until: w.GetUntil(),
	}}
}

func toOutputs(o executor.Outputs) map[string]*wire.Value {
	w := make(map[string]*wire.Value, len(o))
	for name, v := range o {
		w[name] = &wire.Value{Value: v.Value, Sensitive: v.Sensitive}
	}
	return w
}

// fromOutputs marks what holds a secret, whatever the plugin said.
func (p *Plugin) fromOutputs(r executor.Request, w map[string]*wire.Value) (executor.Outputs, error) {
	o := make(executor.Outputs, len(w))
	for name, v := range w {
		if !json.Valid(v.GetValue()) {
			return nil, fault.New(fault.GiveUp, fault.ExecutorFailed, "the plugin %s put out %q of %s, which is no JSON: tell its author", p.name(), r.Mask(name), r.Step)
		}
		o[name] = executor.Value{Value: v.GetValue(), Sensitive: v.GetSensitive() || r.Holds(v.GetValue())}
	}
	for name := range p.kind.Outputs {
		if _, there := o[name]; !there {
			return nil, fault.New(fault.GiveUp, fault.ExecutorFailed, "the plugin %s did not put out %q of %s, as its kind promises: tell its author", p.name(), name, r.Step)
		}
	}
	return o, nil
}
