package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/vivarium-env/vivarium/pkg/config"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
	exitOther  = 3 // with --detailed-exitcode: it went well, and something is other than it should be
)

// usageError is a command line that can't be understood.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// errSilent fails a command whose output has said everything already.
var errSilent = errors.New("failed")

// errOther ends a command with exitOther; its output has said what.
var errOther = errors.New("something is other than it should be")

// run executes one command line and returns the exit code.
func (c *cli) run(ctx context.Context, args []string) int {
	root := newRoot(c)
	root.SetArgs(args)
	root.SetIn(c.in)
	root.SetOut(c.out)
	root.SetErr(c.err)
	err := root.ExecuteContext(ctx)
	if err != nil && ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = errors.New("interrupted")
	}
	c.report(err)
	return exitCode(err)
}

func exitCode(err error) int {
	var wrong usageError
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errOther):
		return exitOther
	case errors.As(err, &wrong), fault.Is(err, config.Invalid):
		return exitUsage
	default:
		return exitFailed
	}
}

// report prints an error for a person: the safe message, the diagnostics, and for a wrong command line where help is.
func (c *cli) report(err error) {
	if err == nil || errors.Is(err, errSilent) || errors.Is(err, errOther) {
		return
	}
	_, _ = fmt.Fprintf(c.err, "vivarium: %s\n", message(err))
	var f *fault.Error
	if errors.As(err, &f) && len(f.Diagnostics) > 0 {
		_, _ = io.WriteString(c.err, "\n"+diagnosticsText(f.Diagnostics, c.style(c.err)))
	}
	var wrong usageError
	if errors.As(err, &wrong) {
		_, _ = fmt.Fprintln(c.err, "Run the command with --help to see how it is used.")
	}
}

// message is what a person is told. The command line runs on the user's own machine and reads nothing that the user
// may not read, so the cause behind a fault is shown too; only the fault's code, which is for programs, is not.
func message(err error) string {
	var f *fault.Error
	if !errors.As(err, &f) {
		return clean(err.Error())
	}
	text := f.Message
	if cause := f.Unwrap(); cause != nil {
		text += ": " + cause.Error()
	}
	// What was said around the fault says where it was met.
	if before, after, found := strings.Cut(err.Error(), f.Error()); found {
		text = before + text + after
	}
	return clean(text)
}
