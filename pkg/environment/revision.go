package environment

import (
	"encoding/json"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Origin says whose templates and parameters an environment was made with, or brought to, where the command did not name them.
type Origin struct {
	// Environment is another one; empty: the environment's own past.
	Environment string `json:"environment,omitempty"`
	// Revision of it, from 1.
	Revision int `json:"revision"`
}

// ParameterChange is a parameter whose value in force becomes another. Secrets are hidden: they are equal to look at.
type ParameterChange struct {
	Name   string          `json:"name"`
	Before json.RawMessage `json:"before,omitempty"` // absent: there was none
	After  json.RawMessage `json:"after,omitempty"`
}

// RollbackInput is environment.rollback, its revision found and resolved.
type RollbackInput struct {
	CommandMeta
	event.Rollback
	Resolved
}

// CloneInput is environment.clone, what it is made from found and resolved.
type CloneInput struct {
	CommandMeta
	event.Clone
	Resolved
	Origin *Origin
}

// PromoteInput is environment.promote, what it is brought to found and resolved.
type PromoteInput struct {
	CommandMeta
	event.Promote
	Resolved
	Origin *Origin
	Kept   []string // the parameters that it keeps, now and from now on
}

func (RollbackInput) input() {}
func (CloneInput) input()    {}
func (PromoteInput) input()  {}

// rollback is an update to what was: it differs in where that is taken from, and in nothing that follows.
func (c *decision) rollback(in RollbackInput) *fault.Error {
	u := UpdateInput{CommandMeta: in.CommandMeta, Resolved: in.Resolved, Origin: &Origin{Revision: in.Revision}}
	u.Moves = c.s.movesTo(u.Origin, in.Resolved)
	u.FailFast, u.Update.Parallelism = in.FailFast, in.Rollback.Parallelism
	return c.update(u)
}

func (c *decision) clone(in CloneInput) *fault.Error {
	n := CreateInput{CommandMeta: in.CommandMeta, Resolved: in.Resolved, Origin: in.Origin}
	n.Description, n.Tags, n.DestroyAt, n.FailFast, n.Create.Parallelism = in.Description, in.Tags, in.DestroyAt, in.FailFast, in.Clone.Parallelism
	return c.create(n)
}

func (c *decision) promote(in PromoteInput) *fault.Error {
	u := UpdateInput{CommandMeta: in.CommandMeta, Resolved: in.Resolved, Origin: in.Origin, Kept: in.Kept}
	u.FailFast, u.Update.Parallelism = in.FailFast, in.Promote.Parallelism
	return c.update(u)
}

// command is the name of the command behind an update, or a create.
func (o *Origin) command(plain string) string {
	switch {
	case o == nil:
		return plain
	case plain == event.EnvironmentCreate:
		return event.EnvironmentClone
	case o.Environment != "":
		return event.EnvironmentPromote
	}
	return event.EnvironmentRollback
}
