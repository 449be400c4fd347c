package orchestrator

import (
	"fmt"
	"strings"

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
	d := t.judge(s, in, resolved)
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
