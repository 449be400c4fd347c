package process

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// drainTime is how long output is still read after the whole group was killed; only a program that left the group
// can hold the pipes open that long.
const drainTime = 2 * time.Second

// busyTries and busyPause bound the wait for a program file that another fork still holds open for writing (ETXTBSY):
// the fork closes it as soon as it has executed.
const (
	busyTries = 50
	busyPause = 10 * time.Millisecond
)

// Command is one program to run. Path is absolute.
type Command struct {
	Path string
	// Args include the program's own name, as in os/exec.
	Args []string
	Dir  string
	Env  []string
	// Files are open in the program from descriptor 3 on.
	Files []*os.File
	// Grace lies between interrupt and kill when the context ends.
	Grace time.Duration
	// InterruptGroup interrupts all of the group, not the program alone.
	InterruptGroup bool
	// Out and Err take lines, without their newline, from one goroutine each; the bytes are valid during the call only.
	// Longer lines than MaxLine bytes come in pieces, all but the last with more set.
	Out, Err func(line []byte, more bool)
	MaxLine  int
	// Record is a file that names the process group while it runs, for EndLeftovers; Marks are the entries of Env
	// that tell the group from one that got its number later.
	Record string
	Marks  []string
}

// Run runs the command to its end and returns its exit code; of a program that a signal ended it is 128 and the
// signal's number, as shells have it. The error is that of the start, or the context's when that ended before the
// program had succeeded.
func Run(ctx context.Context, c Command) (code int, err error) {
	if err := ctx.Err(); err != nil {
		return -1, err
	}
	cmd := c.build(ctx)
	reading, err := c.start(ctx, cmd)
	if err != nil {
		return -1, err
	}
	waited := cmd.Wait()
	// The group may have members that the program did not wait for; they hold the pipes and would outlive it.
	killGroup(cmd.Process.Pid)
	reading.finish(drainTime)
	if c.Record != "" {
		_ = os.Remove(c.Record) // a record that stays names a group that is gone, which EndLeftovers sees
	}
	switch {
	case waited == nil:
		return 0, nil
	case ctx.Err() != nil:
		return exitCode(cmd.ProcessState), ctx.Err()
	}
	var exit *exec.ExitError
	if errors.As(waited, &exit) {
		return exitCode(exit.ProcessState), nil
	}
	return -1, waited
}

func exitCode(state *os.ProcessState) int {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return state.ExitCode()
}

func (c Command) build(ctx context.Context) *exec.Cmd {
	cmd := exec.CommandContext(ctx, c.Path)
	cmd.Args, cmd.Dir, cmd.Env, cmd.ExtraFiles = c.Args, c.Dir, c.Env, c.Files
	cmd.SysProcAttr = attributes()
	cmd.WaitDelay = c.Grace
	cmd.Cancel = func() error {
		if c.InterruptGroup {
			return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT)
		}
		return cmd.Process.Signal(os.Interrupt)
	}
	return cmd
}

func (c Command) start(ctx context.Context, cmd *exec.Cmd) (*reading, error) {
	r := &reading{}
	out, err := r.pipe(c.Out, c.MaxLine)
	if err != nil {
		return nil, err
	}
	defer out.Close() //nolint:errcheck // the program has its own descriptor
	errs, err := r.pipe(c.Err, c.MaxLine)
	if err != nil {
		r.finish(0)
		return nil, err
	}
	defer errs.Close() //nolint:errcheck // the program has its own descriptor
	cmd.Stdout, cmd.Stderr = out, errs
	if err := startWhenFree(ctx, cmd); err != nil {
		r.finish(0)
		return nil, err
	}
	if c.Record != "" {
		if err := writeRecord(c.Record, cmd.Process.Pid); err != nil {
			killGroup(cmd.Process.Pid)
			_ = cmd.Wait() // it was killed; there is nothing to learn from how
			r.finish(0)
			return nil, err
		}
	}
	return r, nil
}

// startWhenFree starts cmd, and tries again while its file is busy.
func startWhenFree(ctx context.Context, cmd *exec.Cmd) error {
	fresh := *cmd // a Cmd whose start failed can't be started again
	for try := 1; ; try++ {
		err := cmd.Start()
		if !errors.Is(err, syscall.ETXTBSY) || try == busyTries {
			return err
		}
		*cmd = fresh
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(busyPause):
		}
	}
}

// Look finds a program as a shell would: a name with a slash from dir, another in the folders of path, which is a
// value of PATH. The error is os.ErrNotExist or os.ErrPermission, wrapped.
func Look(name, path, dir string) (string, error) {
	if strings.Contains(name, "/") {
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, name)
		}
		return name, executable(name)
	}
	missing := error(&os.PathError{Op: "look for", Path: name, Err: os.ErrNotExist})
	for _, folder := range filepath.SplitList(path) {
		at := filepath.Join(folder, name)
		if !filepath.IsAbs(at) {
			continue // "" and "." in PATH would run whatever lies in the working folder
		}
		err := executable(at)
		if err == nil {
			return at, nil
		}
		if !errors.Is(err, os.ErrNotExist) {
			missing = err
		}
	}
	return "", missing
}

func executable(at string) error {
	info, err := os.Stat(at)
	if err != nil {
		return err
	}
	if info.IsDir() || info.Mode()&0o111 == 0 {
		return &os.PathError{Op: "run", Path: at, Err: os.ErrPermission}
	}
	return nil
}
