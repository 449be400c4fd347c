package servers

import (
	"context"
	"fmt"
	"os"
	"os/exec"
)

// Program is a program under test, which ends when this process ends, as the servers do. It is not safe for concurrent use.
type Program struct {
	name    string
	console string
	child   *child
}

// StartProgram starts cmd, whose output goes to a new file; name is for people.
func StartProgram(name, console string, cmd *exec.Cmd) (*Program, error) {
	file, err := os.OpenFile(console, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	cmd.Stdout, cmd.Stderr = file, file
	p := &Program{name: name, console: console}
	if p.child, err = startChild(cmd); err != nil {
		return nil, err
	}
	return p, nil
}

// Done is closed when the program has ended.
func (p *Program) Done() <-chan struct{} { return p.child.done }

// Stop asks the program to end, and fails when it does not end by itself, with exit code 0, before ctx does; it has ended in
// any case. Stopping twice does no harm.
func (p *Program) Stop(ctx context.Context) error {
	if err := p.child.stop(ctx); err != nil {
		return fmt.Errorf("%s did not stop when it was asked to: %w", p.name, err)
	}
	if p.child.err != nil {
		return fmt.Errorf("%s ended with an error: %w; it said:\n%s", p.name, p.child.err, p.LastWords())
	}
	return nil
}

// Kill ends the program at once.
func (p *Program) Kill() error { return p.child.kill() }

// LastWords are the end of what the program printed.
func (p *Program) LastWords() string { return lastWords(p.console) }
