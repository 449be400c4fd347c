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

func readVerdict(e event.Envelope, name string, meta environment.CommandMeta) (environment.Input, error) {
	var v event.Judgement
	err := event.DecodeData(e.Data, &v)
	switch {
	case err == nil && v.Steps != nil && len(v.Steps) == 0:
		err = fault.New(fault.Reject, fault.Invalid, "field \"steps\" is empty: leave it out for all that are held")
	case err == nil && len(v.Comment) > 4096:
		err = fault.New(fault.Reject, fault.Invalid, "field \"comment\" is longer than 4,096 bytes")
	}
	if name == event.OperationReject {
		return environment.RefuseInput{CommandMeta: meta, Judgement: v}, err
	}
	return environment.ApproveInput{CommandMeta: meta, Judgement: v}, err
}

// checkApproval reads the environment's own rule, if there is one.
func checkApproval(a *event.Approval) error {
	if a == nil {
		return nil
	}
	_, err := environment.NewApproval(*a)
	return err
}
