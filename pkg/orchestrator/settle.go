package orchestrator

import (
	"bytes"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// readSettle reads what a person says of a step that is uncertain.
func readSettle(e event.Envelope, meta environment.CommandMeta) (environment.Input, error) {
	in := environment.SettleInput{CommandMeta: meta}
	if err := event.DecodeData(e.Data, &in.Settle); err != nil {
		return nil, err
	}
	outputs := bytes.TrimSpace(in.Settle.Outputs)
	switch {
	case in.Step == "":
		return nil, fault.New(fault.Reject, fault.Invalid, "field \"step\" is required: the address of a step that is uncertain")
	case in.Verdict != event.Done && in.Verdict != event.Again:
		return nil, fault.New(fault.Reject, fault.Invalid, "field \"verdict\" has to be \"done\" or \"again\", not %q", clip(string(in.Verdict)))
	case len(outputs) > 0 && (outputs[0] != '{' || in.Verdict == event.Again):
		return nil, fault.New(fault.Reject, fault.Invalid, "field \"outputs\" has to be an object, and goes with the verdict \"done\" alone")
	}
	return in, nil
}
