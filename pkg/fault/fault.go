package fault

import (
	"context"
	"errors"
	"fmt"
)

// Disposition says what the one who meets an error does about it.
type Disposition string

const (
	// Retry: the same call may succeed later; a retry policy says when and how often.
	Retry Disposition = "retry"
	// Wait: the target is not there (a breaker is open, a server is sealed); wait for it, do not count a try.
	Wait Disposition = "wait"
	// GiveUp: trying again changes nothing; the work has failed.
	GiveUp Disposition = "give-up"
	// Reject: the request itself is wrong; its author has to change it.
	Reject Disposition = "reject"
)

// Code is a stable, documented, machine-readable name of a kind of error, in lower case with hyphens.
type Code string

// Codes that several packages use. A package may have further ones of its own.
const (
	Internal          Code = "internal"
	Invalid           Code = "invalid"
	Unreadable        Code = "unreadable"
	UnknownField      Code = "unknown-field"
	UnknownCommand    Code = "unknown-command"
	NotFound          Code = "not-found"
	Exists            Code = "exists"
	Busy              Code = "busy"
	Conflict          Code = "conflict"
	StaleEpoch        Code = "stale-epoch"
	NotPrimary        Code = "not-primary"
	Unavailable       Code = "unavailable"
	Timeout           Code = "timeout"
	Cancelled         Code = "cancelled"
	InvalidTemplate   Code = "invalid-template"
	UnknownTemplate   Code = "unknown-template"
	InvalidParameter  Code = "invalid-parameter"
	InvalidName       Code = "invalid-name"
	InputsUnresolved  Code = "inputs-unresolved"
	ExecutorFailed    Code = "executor-failed"
	ExecutorUnknown   Code = "executor-unknown"
	RunnerLost        Code = "runner-lost"
	OrphanSuspected   Code = "orphan-suspected"
	ValidationFailed  Code = "validation-failed"
	DependencyFailed  Code = "dependency-failed"
	SecretUnavailable Code = "secret-unavailable"
	BreakerOpen       Code = "breaker-open"
	Expired           Code = "expired"
	AuthorityLost     Code = "authority-lost"
	Consumed          Code = "consumed"
	Forbidden         Code = "forbidden"
	PermissionDenied  Code = "permission-denied" // by a server that is worked on, to the account it is worked on with
	NotApproved       Code = "not-approved"
	NotMeasured       Code = "not-measured"
	Locked            Code = "locked"
	Protected         Code = "protected"
)

// Diagnostic points at one mistake in a file, in the form HCL users know.
type Diagnostic struct {
	Severity string `json:"severity" jsonschema:"enum=error,enum=warning"`
	Summary  string `json:"summary"`
	Detail   string `json:"detail,omitempty"`
	File     string `json:"file,omitempty"`
	Line     int    `json:"line,omitempty"`
	Column   int    `json:"column,omitempty"`
	Snippet  string `json:"snippet,omitempty"`
}

// Error is an error with a code, a safe message and a disposition. The zero value is not meaningful;
// make one with New or Wrap. It is immutable after that and may be shared between goroutines.
type Error struct {
	Code        Code         `json:"code"`
	Message     string       `json:"message"`
	Disposition Disposition  `json:"disposition" jsonschema:"enum=retry,enum=wait,enum=give-up,enum=reject"`
	Diagnostics []Diagnostic `json:"diagnostics,omitempty"`

	cause error
}

// New makes an error; the message is shown to users, so it says what, where and what to do.
func New(d Disposition, code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...), Disposition: d}
}

// Wrap is New with a cause, which errors.Is and errors.As see and users do not.
func Wrap(cause error, d Disposition, code Code, format string, args ...any) *Error {
	e := New(d, code, format, args...)
	e.cause = cause
	return e
}

// With returns a copy of e that carries the diagnostics too.
func (e *Error) With(ds ...Diagnostic) *Error {
	c := *e
	c.Diagnostics = append(append([]Diagnostic(nil), e.Diagnostics...), ds...)
	return &c
}

// Error is the code and the safe message, and the cause behind it, for logs.
func (e *Error) Error() string {
	if e.cause != nil {
		return fmt.Sprintf("%s: %s: %v", e.Code, e.Message, e.cause)
	}
	return fmt.Sprintf("%s: %s", e.Code, e.Message)
}

// Unwrap gives the cause to errors.Is and errors.As.
func (e *Error) Unwrap() error { return e.cause }

// From finds the Error in err's chain, or makes one: a context's end becomes Cancelled or Timeout (retry),
// everything else Internal (retry) with a message that reveals nothing. From(nil) is nil.
func From(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, context.Canceled):
		return Wrap(err, Retry, Cancelled, "the work was cancelled")
	case errors.Is(err, context.DeadlineExceeded):
		return Wrap(err, Retry, Timeout, "the work took longer than it was given")
	default:
		return Wrap(err, Retry, Internal, "an internal error; the log of the process that met it has the details")
	}
}

// Is tells whether err carries the code.
func Is(err error, code Code) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == code
}
