package orchestrator

import (
	"time"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

func readApply(e event.Envelope, meta environment.CommandMeta, now time.Time) (environment.Input, error) {
	in := environment.ApplyInput{CommandMeta: meta}
	if err := event.DecodeData(e.Data, &in.ApplyPlan); err != nil {
		return nil, err
	}
	if in.Plan == "" {
		return nil, fault.New(fault.Reject, fault.Invalid, "field \"plan\" is required: the id of the operation that made the plan, such as op-7")
	}
	description := ""
	if in.Description != nil {
		description = *in.Description
	}
	return in, checkCommon(description, in.Tags, in.Parallelism, in.DestroyAt, now)
}
