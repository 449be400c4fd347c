package orchestrator

import (
	"strings"
	"time"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// read decodes and checks what a command says of itself. What templates have to say is for resolved to fill in.
func (t *turn) read(e event.Envelope, name string, meta environment.CommandMeta) (environment.Input, error) {
	if !environment.ValidName(e.Subject) {
		return nil, badName(e.Subject)
	}
	if read, known := readers[name]; known {
		return read(e, meta, t.now)
	}
	return nil, fault.New(fault.Reject, fault.UnknownCommand, "there is no command of type %q; known are vivarium.{%s}.v1",
		clip(e.Type), strings.Join(event.Commands(), ","))
}

type reader func(e event.Envelope, m environment.CommandMeta, now time.Time) (environment.Input, error)

// reads is how a command with the data D is read: decoded, checked where there is something to check, and made an input.
func reads[D any](check func(d D, subject string, now time.Time) error, input func(environment.CommandMeta, D) environment.Input) reader {
	return func(e event.Envelope, m environment.CommandMeta, now time.Time) (environment.Input, error) {
		var d D
		if err := event.DecodeData(e.Data, &d); err != nil {
			return nil, err
		}
		if check != nil {
			if err := check(d, e.Subject, now); err != nil {
				return nil, err
			}
		}
		return input(m, d), nil
	}
}

type (
	meta  = environment.CommandMeta
	input = environment.Input
)

var readers = map[string]reader{
	event.EnvironmentCreate:   reads(checkCreate, func(m meta, d event.Create) input { return environment.CreateInput{CommandMeta: m, Create: d} }),
	event.EnvironmentUpdate:   reads(checkUpdate, func(m meta, d event.Update) input { return environment.UpdateInput{CommandMeta: m, Update: d} }),
	event.EnvironmentSchedule: reads(checkSchedule, func(m meta, d event.Schedule) input { return environment.ScheduleInput{CommandMeta: m, Schedule: d} }),
	event.EnvironmentDestroy:  reads(checkDestroy, func(m meta, d event.Destroy) input { return environment.DestroyInput{CommandMeta: m, Destroy: d} }),
	event.EnvironmentCancel:   reads(nil, func(m meta, d event.Cancel) input { return environment.CancelInput{CommandMeta: m, Cancel: d} }),
	event.EnvironmentRetry:    reads(checkRetry, func(m meta, d event.Retry) input { return environment.RetryInput{CommandMeta: m, Retry: d} }),
	event.EnvironmentPause:    reads(checkPause, func(m meta, d event.Pause) input { return environment.PauseInput{CommandMeta: m, Pause: d} }),
	event.EnvironmentResume:   reads(checkResume, func(m meta, d event.Resume) input { return environment.ResumeInput{CommandMeta: m, Resume: d} }),
	event.EnvironmentRedeploy: reads(checkRedeploy, func(m meta, d event.Redeploy) input { return environment.RedeployInput{CommandMeta: m, Redeploy: d} }),
	event.EnvironmentRun:      reads(checkRun, func(m meta, d event.Run) input { return environment.RunInput{CommandMeta: m, Run: d} }),
	event.EnvironmentCheck:    reads(checkCheck, func(m meta, d event.Check) input { return environment.CheckInput{CommandMeta: m, Check: d} }),
	event.EnvironmentPlan:     reads(checkProposal, func(m meta, d event.Proposal) input { return environment.PlanInput{CommandMeta: m, Proposal: d} }),
	event.EnvironmentApply:    reads(checkApply, func(m meta, d event.ApplyPlan) input { return environment.ApplyInput{CommandMeta: m, ApplyPlan: d} }),
	event.EnvironmentLock:     reads(nil, func(m meta, d event.Lock) input { return environment.LockInput{CommandMeta: m, Lock: d} }),
	event.EnvironmentUnlock:   reads(nil, func(m meta, _ event.Unlock) input { return environment.UnlockInput{CommandMeta: m} }),
	event.EnvironmentAdopt:    reads(checkAdopt, func(m meta, d event.Adopt) input { return environment.AdoptInput{CommandMeta: m, Adopt: d} }),
	event.EnvironmentRollback: reads(checkRollback, func(m meta, d event.Rollback) input { return environment.RollbackInput{CommandMeta: m, Rollback: d} }),
	event.EnvironmentClone:    reads(checkClone, func(m meta, d event.Clone) input { return environment.CloneInput{CommandMeta: m, Clone: d} }),
	event.EnvironmentPromote:  reads(checkPromote, func(m meta, d event.Promote) input { return environment.PromoteInput{CommandMeta: m, Promote: d} }),
	event.EnvironmentSettle:   reads(checkSettle, func(m meta, d event.Settle) input { return environment.SettleInput{CommandMeta: m, Settle: d} }),
	event.OperationApprove:    reads(checkJudgement, func(m meta, d event.Judgement) input { return environment.ApproveInput{CommandMeta: m, Judgement: d} }),
	event.OperationReject:     reads(checkJudgement, func(m meta, d event.Judgement) input { return environment.RefuseInput{CommandMeta: m, Judgement: d} }),
}
