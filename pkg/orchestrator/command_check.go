package orchestrator

import (
	"bytes"
	"cmp"
	"strings"
	"time"

	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

func checkCreate(c event.Create, _ string, now time.Time) error {
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

func checkUpdate(u event.Update, _ string, now time.Time) error {
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
	return checkCommon(text(u.Description), u.Tags, u.Parallelism, u.DestroyAt, now)
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

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func checkDestroy(d event.Destroy, _ string, _ time.Time) error {
	if err := checkWhenBusy(d.WhenBusy); err != nil {
		return err
	}
	switch {
	case d.Groups != nil && len(d.Groups) == 0:
		return fault.New(fault.Reject, fault.Invalid, "field \"groups\" is empty: leave it out to destroy the whole environment")
	case d.Cascade && d.Groups == nil:
		return fault.New(fault.Reject, fault.Invalid, "field \"cascade\" goes with \"groups\"")
	}
	return nil
}

func checkRun(r event.Run, _ string, _ time.Time) error {
	if r.Action == "" {
		return fault.New(fault.Reject, fault.Invalid, "field \"action\" is required: the address of an action, or its name")
	}
	return nil
}

func checkCheck(c event.Check, _ string, _ time.Time) error {
	if c.Resources != nil && len(c.Resources) == 0 {
		return fault.New(fault.Reject, fault.Invalid, "field \"resources\" is empty: leave it out to check all that are there")
	}
	return nil
}

// checkProposal refuses besides what would go by two sources at once.
func checkProposal(p event.Proposal, subject string, _ time.Time) error {
	switch {
	case p.Templates != nil && len(p.Templates) == 0:
		return fault.New(fault.Reject, fault.Invalid, "field \"templates\" is empty: leave it out to keep the templates as they are")
	case p.From == "" && p.Revision == 0 && p.Keep == nil:
		return nil
	case p.Destroy || p.Heal || p.Templates != nil:
		return fault.New(fault.Reject, fault.Invalid, "fields \"from\" and \"revision\" say what it is to be made of: no templates, heal or destroy beside them")
	case p.From != "":
		return checkSource(p.From, subject, p.Revision)
	case p.Keep != nil:
		return fault.New(fault.Reject, fault.Invalid, "field \"keep\" is of a promotion: field \"from\" has to say of what")
	case p.Revision < 0 || p.Parameters != nil:
		return fault.New(fault.Reject, fault.Invalid, "field \"revision\" is the number of a revision, whose parameters are taken: there are none beside it")
	}
	return nil
}

func checkApply(p event.ApplyPlan, _ string, now time.Time) error {
	if p.Plan == "" {
		return fault.New(fault.Reject, fault.Invalid, "field \"plan\" is required: the id of the operation that made the plan, such as op-7")
	}
	return checkCommon(text(p.Description), p.Tags, p.Parallelism, p.DestroyAt, now)
}

func checkAdopt(a event.Adopt, subject string, now time.Time) error {
	if len(a.Resources) == 0 {
		return fault.New(fault.Reject, fault.Invalid, "field \"resources\" is required: what is taken over, by address")
	}
	return checkUpdate(event.Update{Templates: a.Templates, Description: a.Description, Tags: a.Tags, Parallelism: a.Parallelism, DestroyAt: a.DestroyAt}, subject, now)
}

func checkRollback(r event.Rollback, _ string, _ time.Time) error {
	if r.Revision < 1 {
		return fault.New(fault.Reject, fault.Invalid, "field \"revision\" is required: the number of a revision, from 1")
	}
	return nil
}

func checkClone(c event.Clone, subject string, now time.Time) error {
	return cmp.Or(checkSource(c.From, subject, c.Revision), checkCommon(c.Description, c.Tags, c.Parallelism, c.DestroyAt, now))
}

func checkPromote(p event.Promote, subject string, _ time.Time) error {
	return checkSource(p.From, subject, p.Revision)
}

func checkSource(from, subject string, revision int) error {
	switch {
	case strings.TrimSpace(from) == "":
		return fault.New(fault.Reject, fault.Invalid, "field \"from\" is required: the name of the environment that is taken from")
	case from == subject:
		return fault.New(fault.Reject, fault.Invalid, "field \"from\" names the environment itself: send environment.rollback to bring it to a revision of its own")
	case revision < 0:
		return fault.New(fault.Reject, fault.Invalid, "field \"revision\" can't be negative")
	}
	return nil
}

func checkSettle(s event.Settle, _ string, _ time.Time) error {
	outputs := bytes.TrimSpace(s.Outputs)
	switch {
	case s.Step == "":
		return fault.New(fault.Reject, fault.Invalid, "field \"step\" is required: the address of a step that is uncertain")
	case s.Verdict != event.Done && s.Verdict != event.Again:
		return fault.New(fault.Reject, fault.Invalid, "field \"verdict\" has to be \"done\" or \"again\", not %q", clip(string(s.Verdict)))
	case len(outputs) > 0 && (outputs[0] != '{' || s.Verdict == event.Again):
		return fault.New(fault.Reject, fault.Invalid, "field \"outputs\" has to be an object, and goes with the verdict \"done\" alone")
	}
	return nil
}

func checkJudgement(v event.Judgement, _ string, _ time.Time) error {
	switch {
	case v.Steps != nil && len(v.Steps) == 0:
		return fault.New(fault.Reject, fault.Invalid, "field \"steps\" is empty: leave it out for all that are held")
	case len(v.Comment) > 4096:
		return fault.New(fault.Reject, fault.Invalid, "field \"comment\" is longer than 4,096 bytes")
	}
	return nil
}

// checkApproval reads the environment's own rule, if there is one.
func checkApproval(a *event.Approval) error {
	if a == nil {
		return nil
	}
	_, err := environment.NewApproval(*a)
	return err
}

func checkWhenBusy(how string) error {
	switch how {
	case "", event.RefuseWhenBusy, event.QueueWhenBusy:
		return nil
	}
	return fault.New(fault.Reject, fault.Invalid, "field \"when_busy\" can't be %q: it is \"refuse\" or \"queue\"", clip(how))
}

// checkSchedule looks at what is wrong with the command whatever its environment is.
func checkSchedule(s event.Schedule, _ string, _ time.Time) error {
	said := 0
	for _, given := range []bool{s.DestroyAt != nil, s.Lifetime != "", s.Extend != ""} {
		if given {
			said++
		}
	}
	if said > 1 {
		return fault.New(fault.Reject, fault.Invalid, "only one of the fields \"destroy_at\", \"lifetime\" and \"extend\" can be given")
	}
	if err := duration("lifetime", s.Lifetime); err != nil {
		return err
	}
	if err := duration("extend", s.Extend); err != nil {
		return err
	}
	if err := environment.CheckHours(s.Hours); err != nil {
		return fault.New(fault.Reject, fault.Invalid, "field \"hours\": %s", err.Message)
	}
	if err := environment.CheckDrift(s.Drift); err != nil {
		return fault.New(fault.Reject, fault.Invalid, "field \"drift\": %s", err.Message)
	}
	return nil
}

func checkLifetime(at *time.Time, lifetime string) error {
	if at != nil && lifetime != "" {
		return fault.New(fault.Reject, fault.Invalid, "only one of the fields \"destroy_at\" and \"lifetime\" can be given")
	}
	return duration("lifetime", lifetime)
}

func duration(name, text string) error {
	if text == "" {
		return nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || (d < 0 && name == "lifetime") {
		return fault.New(fault.Reject, fault.Invalid, "field %q has to be a duration such as \"72h\", not %q", name, clip(text))
	}
	return nil
}
