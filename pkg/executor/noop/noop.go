package noop

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/zclconf/go-cty/cty"

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
		Name: Name,
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

// Observe can't tell: nothing was made.
func (*Executor) Observe(context.Context, executor.Request) (executor.Presence, error) {
	return executor.Unknown, nil
}

func value(r executor.Request, v json.RawMessage) executor.Value {
	if v == nil {
		return executor.Value{Value: null}
	}
	return executor.Value{Value: v, Sensitive: r.Holds(v)}
}
