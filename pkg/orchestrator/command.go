package orchestrator

import (
	"fmt"
	"strings"
	"time"

	"github.com/vivarium-env/vivarium/pkg/bus"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/pkg/plan"
	"github.com/vivarium-env/vivarium/pkg/store"
	"github.com/vivarium-env/vivarium/pkg/template"
)

// nameless is under whose name the journal keeps rejections of commands whose environment's name is none. No
// environment can be called so.
const nameless = "_"

// command decides on a command and keeps the answer until it is durable.
func (t *turn) command(m *bus.Message, e event.Envelope, name string) error {
	meta := environment.CommandMeta{CommandID: e.ID, RequestedBy: e.Source}
	subject := e.Subject
	in, err := t.read(e, name, meta)
	if !environment.ValidName(subject) {
		subject = nameless
	}
	s, loadErr := t.p.memory.State(t.ctx, subject)
	if loadErr != nil {
		return loadErr
	}
	var resolved *plan.Plan
	if err == nil && !s.Knows(e.ID) {
		if in, err = t.sealed(s, in); err == nil {
			in, resolved, err = t.resolved(s, in)
		}
	}
	if err != nil {
		in = environment.RejectInput{CommandMeta: meta, Command: commandName(name, e.Type), Error: fault.From(err)}
	}
	d := t.p.decider.Decide(s, t.around(subject, t.resolverOf(resolved, subject)), in, t.now)
	if resolved != nil && d.Answer.Accepted {
		t.plans[subject] = resolved
	}
	if subject == nameless {
		d.Answer.Environment = ""
	}
	t.answers = append(t.answers, answer{to: m.ReplyTo, correlation: m.CorrelationID, Answer: *d.Answer})
	first := len(t.batch.Entries)
	if err := t.record(s, d.Facts); err != nil {
		return err
	}
	for i := first; i < len(t.batch.Entries); i++ {
		t.batch.Entries[i].TraceParent = e.TraceParent
	}
	return nil
}

func commandName(name, typ string) string {
	if name == "" {
		return typ
	}
	return name
}

// read decodes and checks what a command says of itself. What templates have to say is for resolved to fill in.
func (t *turn) read(e event.Envelope, name string, meta environment.CommandMeta) (environment.Input, error) {
	if !environment.ValidName(e.Subject) {
		return nil, badName(e.Subject)
	}
	switch name {
	case event.EnvironmentCreate:
		in := environment.CreateInput{CommandMeta: meta}
		if err := event.DecodeData(e.Data, &in.Create); err != nil {
			return nil, err
		}
		return in, checkCreate(in.Create, t.now)
	case event.EnvironmentUpdate:
		in := environment.UpdateInput{CommandMeta: meta}
		if err := event.DecodeData(e.Data, &in.Update); err != nil {
			return nil, err
		}
		return in, checkUpdate(in.Update, t.now)
	case event.EnvironmentSchedule:
		in := environment.ScheduleInput{CommandMeta: meta}
		if err := event.DecodeData(e.Data, &in.Schedule); err != nil {
			return nil, err
		}
		return in, checkSchedule(in.Schedule)
	case event.EnvironmentDestroy:
		in := environment.DestroyInput{CommandMeta: meta}
		err := event.DecodeData(e.Data, &in.Destroy)
		if err == nil {
			err = checkWhenBusy(in.WhenBusy)
		}
		if err == nil && in.Groups != nil && len(in.Groups) == 0 {
			err = fault.New(fault.Reject, fault.Invalid, "field \"groups\" is empty: leave it out to destroy the whole environment")
		}
		if err == nil && in.Cascade && in.Groups == nil {
			err = fault.New(fault.Reject, fault.Invalid, "field \"cascade\" goes with \"groups\"")
		}
		return in, err
	case event.EnvironmentCancel:
		in := environment.CancelInput{CommandMeta: meta}
		err := event.DecodeData(e.Data, &in.Cancel)
		return in, err
	case event.EnvironmentRetry:
		in := environment.RetryInput{CommandMeta: meta}
		err := event.DecodeData(e.Data, &in.Retry)
		return in, err
	case event.EnvironmentPause:
		in := environment.PauseInput{CommandMeta: meta}
		err := event.DecodeData(e.Data, &in.Pause)
		return in, err
	case event.EnvironmentResume:
		err := event.DecodeData(e.Data, &event.Resume{})
		return environment.ResumeInput{CommandMeta: meta}, err
	case event.EnvironmentRun:
		in := environment.RunInput{CommandMeta: meta}
		err := event.DecodeData(e.Data, &in.Run)
		if err == nil && in.Action == "" {
			err = fault.New(fault.Reject, fault.Invalid, "field \"action\" is required: the address of an action, or its name")
		}
		return in, err
	}
	if name == event.EnvironmentCheck {
		in := environment.CheckInput{CommandMeta: meta}
		if err := event.DecodeData(e.Data, &in.Check); err != nil {
			return nil, err
		}
		if in.Resources != nil && len(in.Resources) == 0 {
			return nil, fault.New(fault.Reject, fault.Invalid, "field \"resources\" is empty: leave it out to check all that are there")
		}
		return in, nil
	}
	switch name {
	case event.EnvironmentLock:
		in := environment.LockInput{CommandMeta: meta}
		err := event.DecodeData(e.Data, &in.Lock)
		return in, err
	case event.EnvironmentUnlock:
		err := event.DecodeData(e.Data, &event.Unlock{})
		return environment.UnlockInput{CommandMeta: meta}, err
	}
	if name == event.EnvironmentPlan {
		in := environment.PlanInput{CommandMeta: meta}
		err := event.DecodeData(e.Data, &in.Proposal)
		if err == nil && in.Proposal.Templates != nil && len(in.Proposal.Templates) == 0 {
			err = fault.New(fault.Reject, fault.Invalid, "field \"templates\" is empty: leave it out to keep the templates as they are")
		}
		if err == nil {
			err = checkProposal(in.Proposal, e.Subject)
		}
		return in, err
	}
	if name == event.EnvironmentSettle {
		return readSettle(e, meta)
	}
	if name == event.EnvironmentAdopt {
		return t.readAdopt(e, meta)
	}
	if in, err := readOrigin(e, name, meta, t.now); in != nil {
		return in, err
	}
	if name == event.OperationApprove || name == event.OperationReject {
		return readVerdict(e, name, meta)
	}
	if name == event.EnvironmentApply {
		return readApply(e, meta, t.now)
	}
	return nil, fault.New(fault.Reject, fault.UnknownCommand, "there is no command of type %q; known are vivarium.{%s}.v1",
		clip(e.Type), strings.Join(event.Commands(), ","))
}

func badName(subject string) error {
	if subject == "" {
		return fault.New(fault.Reject, fault.InvalidName, "the CloudEvent has no subject: it is the environment's name")
	}
	return fault.New(fault.Reject, fault.InvalidName,
		"%q can't be an environment's name: use 1 to 63 lower case letters, digits and hyphens, with no hyphen at either end", clip(subject))
}

func clip(s string) string {
	if len(s) > 80 {
		return strings.ToValidUTF8(s[:80], "") + "..."
	}
	return s
}

func checkCreate(c event.Create, now time.Time) error {
	if len(c.Templates) == 0 {
		return fault.New(fault.Reject, fault.Invalid, "field \"templates\" is required: a list of name@version, or of names")
	}
	if err := checkLifetime(c.DestroyAt, c.Lifetime); err != nil {
		return err
	}
	if err := checkApproval(c.Approval); err != nil {
		return err
	}
	return checkCommon(c.Description, c.Tags, c.Parallelism, c.DestroyAt, now)
}

func checkUpdate(u event.Update, now time.Time) error {
	if u.Templates != nil && len(u.Templates) == 0 {
		return fault.New(fault.Reject, fault.Invalid, "field \"templates\" is empty: leave it out to keep the templates as they are")
	}
	if err := checkLifetime(u.DestroyAt, u.Lifetime); err != nil {
		return err
	}
	if err := checkApproval(u.Approval); err != nil {
		return err
	}
	if err := checkWhenBusy(u.WhenBusy); err != nil {
		return err
	}
	description := ""
	if u.Description != nil {
		description = *u.Description
	}
	return checkCommon(description, u.Tags, u.Parallelism, u.DestroyAt, now)
}

func checkCommon(description string, tags []string, parallelism int, destroyAt *time.Time, now time.Time) error {
	switch {
	case parallelism < 0:
		return fault.New(fault.Reject, fault.Invalid, "field \"parallelism\" can't be negative")
	case len(description) > 4096:
		return fault.New(fault.Reject, fault.Invalid, "field \"description\" is longer than 4,096 bytes")
	case len(tags) > 64:
		return fault.New(fault.Reject, fault.Invalid, "field \"tags\" has more than 64 members")
	case destroyAt != nil && destroyAt.Before(now):
		return fault.New(fault.Reject, fault.Invalid, "field \"destroy_at\" is in the past (%s)", destroyAt.Format(time.RFC3339))
	}
	for _, tag := range tags {
		if tag == "" || len(tag) > 128 {
			return fault.New(fault.Reject, fault.Invalid, "field \"tags\": %q has to have 1 to 128 bytes", clip(tag))
		}
	}
	return nil
}

// keep puts the templates into the batch, so that the environment can be evaluated when the catalogue has moved on.
func (t *turn) keep(templates []*template.Template) error {
	for _, tpl := range templates {
		archive, err := tpl.Archive()
		if err != nil {
			return fmt.Errorf("pack template %s: %w", tpl.Name, err)
		}
		t.batch.Templates = append(t.batch.Templates, store.TemplateRecord{
			Template:    environment.Template{Name: tpl.Name, Version: tpl.Version, Hash: tpl.Hash, Commit: tpl.Commit},
			Description: tpl.Description, Tags: tpl.Tags, Archive: archive.Data})
	}
	return nil
}
