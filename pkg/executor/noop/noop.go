package noop

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/zclconf/go-cty/cty"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// Name is the kind's name.
const Name = "noop"

const (
	inputs   = "inputs"
	triggers = "triggers"
)

var null = json.RawMessage("null")

// Executor does nothing and puts its inputs out again. It is stateless and safe for concurrent use.
type Executor struct{}

var _ executor.Executor = (*Executor)(nil)

// New makes the executor.
func New() *Executor { return &Executor{} }

// Kind is a block with the optional attributes inputs and triggers of any type; both come back as outputs.
func (*Executor) Kind() template.Kind {
	return template.Kind{
		Name:       Name,
		Idempotent: true,
		Spec: hcldec.ObjectSpec{
			inputs:   &hcldec.AttrSpec{Name: inputs, Type: cty.DynamicPseudoType},
			triggers: &hcldec.AttrSpec{Name: triggers, Type: cty.DynamicPseudoType},
		},
		Outputs: map[string]template.Output{
			inputs:   {Type: cty.DynamicPseudoType, Description: "The attribute inputs as it was given, null without."},
			triggers: {Type: cty.DynamicPseudoType, Description: "The attribute triggers as it was given, null without."},
		},
	}
}

// Apply returns the inputs.
func (*Executor) Apply(ctx context.Context, r executor.Request) (executor.Outputs, error) {
	if err := ctx.Err(); err != nil {
		return nil, fault.From(err)
	}
	// Benches run this a million times: a block without attributes is not parsed.
	if body := bytes.TrimSpace(r.Inputs); len(body) > len("{}") {
		return echo(r, body)
	}
	return executor.Outputs{inputs: {Value: null}, triggers: {Value: null}}, nil
}

func echo(r executor.Request, body []byte) (executor.Outputs, error) {
	var block struct {
		Inputs   json.RawMessage `json:"inputs"`
		Triggers json.RawMessage `json:"triggers"`
	}
	if err := json.Unmarshal(body, &block); err != nil {
		return nil, fault.Wrap(err, fault.GiveUp, fault.Invalid, "the inputs of %s are not those of a noop block", r.Step)
	}
	return executor.Outputs{inputs: value(r, block.Inputs), triggers: value(r, block.Triggers)}, nil
}

// Destroy succeeds: there is nothing.
func (*Executor) Destroy(context.Context, executor.Request) error { return nil }

// Traceless says that nothing is ever left.
func (*Executor) Traceless() {}

// Observe can't tell: nothing was made.
func (*Executor) Observe(context.Context, executor.Request) (event.Observation, error) {
	return executor.Look(event.PresenceUnknown, nil)
}

// Plan compares what an Apply would put out with what the last one did.
func (e *Executor) Plan(ctx context.Context, r executor.Request, verb event.Verb) (executor.Plan, error) {
	plan := executor.Plan{Plan: event.Plan{Change: event.ChangeNone}}
	switch {
	case verb != event.Apply:
		return plan, nil
	case r.Outputs == nil:
		plan.Change = event.ChangeCreate
		return plan, nil
	case len(r.Unknown) > 0:
		plan.Change, plan.Until = event.ChangeUnknown, r.Until()
		return plan, nil
	}
	next, err := e.Apply(ctx, r)
	if err != nil {
		return plan, err
	}
	var last map[string]json.RawMessage
	if err := json.Unmarshal(r.Outputs, &last); err != nil {
		return plan, fault.Wrap(err, fault.GiveUp, fault.Invalid, "the last outputs of %s are not those of a noop block", r.Step)
	}
	for _, name := range []string{inputs, triggers} {
		if !bytes.Equal(compact(last[name]), compact(next[name].Value)) {
			plan.Change = event.ChangeUpdate
			plan.Differences = append(plan.Differences, event.Difference{Path: name, Change: event.ChangeUpdate,
				Before: r.Mask(string(last[name])), After: r.Mask(string(next[name].Value)), Sensitive: next[name].Sensitive})
		}
	}
	return plan, nil
}

func compact(v json.RawMessage) []byte {
	var b bytes.Buffer
	if json.Compact(&b, v) != nil {
		return v
	}
	return b.Bytes()
}

func value(r executor.Request, v json.RawMessage) executor.Value {
	if v == nil {
		return executor.Value{Value: null}
	}
	return executor.Value{Value: v, Sensitive: r.Holds(v)}
}
