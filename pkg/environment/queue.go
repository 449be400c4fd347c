package environment

import (
	"encoding/json"
	"time"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Queued is a command that waits until the operation that is under way has ended. There is one at most: a second update was
// thought of by somebody who knew, or should have, what the first one asks for.
type Queued struct {
	CommandID   string    `json:"command_id"`
	Command     string    `json:"command"`
	RequestedBy string    `json:"requested_by,omitempty"`
	At          time.Time `json:"at"`
	// Data is the command's; sensitive parameters are sealed. The record of the environment does not have it.
	Data json.RawMessage `json:"data,omitempty"`
}

// CommandQueued: a command was taken, and begins when the operation that is under way has ended. What comes of it then is a
// fact with its id.
type CommandQueued struct {
	CommandID   string          `json:"command_id"`
	Command     string          `json:"command"`
	RequestedBy string          `json:"requested_by,omitempty"`
	Data        json.RawMessage `json:"data,omitempty"` // sensitive parameters sealed; not published
}

// QueueDropped: the command that waited was dropped by another one; it is rejected, which is a fact of its own.
type QueueDropped struct {
	CommandID   string `json:"command_id"`
	RequestedBy string `json:"requested_by,omitempty"`
	Queued      string `json:"queued"` // id of the command that waited
	Reason      string `json:"reason,omitempty"`
}

// Type is the fact's name.
func (CommandQueued) Type() string { return "command.queued" }

// Type is the fact's name.
func (QueueDropped) Type() string { return "command.dropped" }

// public leaves out the data, which is for the decider.
func (b CommandQueued) public() any {
	b.Data = nil
	return b
}

// BeginInput: nothing is under way any more, and the command that waited begins, or is rejected as any command would be.
// Command is that command as it is resolved now: an UpdateInput, a DestroyInput or a RejectInput.
type BeginInput struct{ Command Input }

func (BeginInput) input() {}

// beginning is the command that waited, where the input is that it begins.
func (c *decision) beginning(in Input) Input {
	b, is := in.(BeginInput)
	if !is || c.s.Queued == nil || c.s.Busy() {
		return in
	}
	c.begins = c.s.Queued.CommandID
	return b.Command
}

// whenBusy refuses a command while an operation is under way, or lets it wait, in the place of the one that did.
func (c *decision) whenBusy(how, command string, m CommandMeta, data any) *fault.Error {
	if how != event.QueueWhenBusy {
		return c.inTheWay()
	}
	text, err := json.Marshal(data)
	if err != nil {
		return fault.From(err)
	}
	c.rejectQueued(fault.New(fault.Reject, fault.Cancelled, "while it waited, %s %s of environment %q took its place", command, m.CommandID, c.s.Name))
	c.emit(CommandQueued{CommandID: m.CommandID, Command: command, RequestedBy: m.RequestedBy, Data: text})
	c.Answer.Queued = true
	return nil
}

// rejectQueued rejects the command that waits, if there is one.
func (c *decision) rejectQueued(why *fault.Error) {
	if q := c.s.Queued; q != nil {
		c.emit(CommandRejected{CommandID: q.CommandID, Command: q.Command, RequestedBy: q.RequestedBy, Error: why})
	}
}

// dropQueued is environment.cancel of what waits; what is under way goes on.
func (c *decision) dropQueued(in CancelInput) *fault.Error {
	q := c.s.Queued
	if q == nil {
		return fault.New(fault.Reject, fault.Conflict, "no command waits in environment %q", c.s.Name)
	}
	c.emit(QueueDropped{CommandID: in.CommandID, RequestedBy: in.RequestedBy, Queued: q.CommandID, Reason: in.Reason})
	reason := in.Reason
	if reason == "" {
		reason = "cancelled by command"
	}
	c.rejectQueued(fault.New(fault.Reject, fault.Cancelled, "while it waited: %s", reason))
	return nil
}

// waits tells whether this command waits.
func (s *State) waits(commandID string) bool {
	return s.Queued != nil && s.Queued.CommandID == commandID
}

func (s *State) queue(b CommandQueued, at time.Time) {
	s.remember(Outcome{CommandID: b.CommandID, Command: b.Command})
	s.Queued = &Queued{CommandID: b.CommandID, Command: b.Command, RequestedBy: b.RequestedBy, At: at, Data: b.Data}
}

// queued is the command that waits, as a record shows it.
func (s *State) queued() *Queued {
	if s.Queued == nil {
		return nil
	}
	q := *s.Queued
	q.Data = nil
	return &q
}
