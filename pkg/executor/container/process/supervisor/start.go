package supervisor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// detached is the variable that makes a process the supervisor, and not the one that lets it go.
const detached = "VIVARIUM_SUPERVISOR"

// Start makes command (a program that calls Main, with its arguments; the folder is added) supervise what the spec says, and
// returns once the program was started. The folder has to exist and to have no supervisor. The error tells what the system said.
// What was begun when ctx ends may go on: see Stop.
func Start(ctx context.Context, command []string, folder string, s Spec) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, command[0], append(command[1:len(command):len(command)], folder)...) //nolint:gosec // this program itself
	// Nothing of the caller's environment, in which there may be secrets: it could be read as long as the supervisor lives.
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + folder}
	cmd.Dir = folder
	var said bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(text), &said, &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // no Ctrl-C of somebody's terminal is meant for it
	cmd.WaitDelay = time.Second
	err = cmd.Run()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) && said.Len() > 0 {
		return errors.New(strings.TrimSpace(said.String()))
	}
	return err
}

// Main is what a supervisor's process runs: it reads the Spec from in, and returns when the program is not to be started again. It
// is run twice: the first lets go of the second, which then is nobody's child, and ends when that has started the program.
func Main(folder string, in *os.File) error {
	if os.Getenv(detached) == "" {
		return letGo(in)
	}
	syscall.CloseOnExec(answerFile) // or the program would hold it open
	answer := os.NewFile(answerFile, "answer")
	if answer == nil {
		return errors.New("a supervisor is started by its executor alone")
	}
	text, err := io.ReadAll(in)
	_ = in.Close()
	var s Spec
	if err == nil {
		err = json.Unmarshal(text, &s) // cut short where who has started it was killed
	}
	if err != nil {
		return err
	}
	if err = supervise(folder, s, func() { _ = answer.Close() }); err != nil {
		_, _ = answer.WriteString(err.Error())
	}
	return err
}

// answerFile is the descriptor on which the supervisor says how the start went: nothing, or what was wrong.
const answerFile = 3

// letGo starts the supervisor in a session of its own.
func letGo(in *os.File) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	from, to, err := os.Pipe()
	if err != nil {
		return err
	}
	defer func() { _ = from.Close() }()
	cmd := exec.Command(self, os.Args[1:]...) //nolint:gosec // this program itself
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), detached+"=yes")
	cmd.Stdin, cmd.ExtraFiles = in, []*os.File{to}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	_ = to.Close()
	if err != nil {
		return err
	}
	text, err := io.ReadAll(from)
	if err == nil && len(text) > 0 {
		err = errors.New(string(text))
	}
	return err
}

// Stop asks the folder's supervisor to end its program and itself, waits until both are gone, and ends them and what the program
// (id is its Spec.ID) has left behind when they take longer than their time. Nothing being there is success. unlock lets go of the
// folder's lock, which keeps a supervisor from starting that was late; it may be called in any case.
func Stop(ctx context.Context, folder, id string, stopTimeout time.Duration) (unlock func(), err error) {
	unlock = func() {}
	end := time.Now().Add(stopTimeout + stopMargin)
	lock := filepath.Join(folder, lockFile)
	for asked := false; ; {
		f, err := take(lock)
		if err == nil {
			return func() { _ = f.Close() }, EndLeftovers(ctx, id, max(0, time.Until(end)-stopMargin))
		}
		if !errors.Is(err, errHeld) {
			return unlock, err
		}
		s, _, err := Look(folder)
		switch {
		case err != nil:
			return unlock, err
		case time.Now().After(end):
			_ = s.Supervisor.signal(syscall.SIGKILL) // the program goes with what is left behind
		case !asked:
			asked = s.Supervisor.signal(syscall.SIGTERM) == nil // not while it has not said yet who it is
		}
		if err := pause(ctx, lookEvery); err != nil {
			return unlock, err
		}
	}
}

// Lock waits until it has the lock of a file, which is made where there is none.
func Lock(ctx context.Context, file string) (unlock func(), err error) {
	for {
		f, err := take(file)
		if err == nil {
			return func() { _ = f.Close() }, nil
		}
		if !errors.Is(err, errHeld) {
			return nil, err
		}
		if err := pause(ctx, lookEvery); err != nil {
			return nil, err
		}
	}
}

// Ask asks the folder's supervisor to end its program and itself, and waits for nothing.
func Ask(folder string) error {
	s, alive, err := Look(folder)
	if err != nil || !alive {
		return err
	}
	return s.Supervisor.signal(syscall.SIGTERM)
}

// stopMargin is how much longer than its program a supervisor may take to end.
const stopMargin = 5 * time.Second

// lookEvery is how often is looked whether something has ended.
const lookEvery = 20 * time.Millisecond

// Hold ends the folder's program, and keeps its supervisor, which knows how to start it again: see Resume.
func Hold(ctx context.Context, folder string, stopTimeout time.Duration) error {
	return ask(ctx, folder, syscall.SIGUSR1, Held, stopTimeout+stopMargin)
}

// Resume starts a program that is held.
func Resume(ctx context.Context, folder string) error {
	return ask(ctx, folder, syscall.SIGUSR2, Running, stopMargin)
}

func ask(ctx context.Context, folder string, s syscall.Signal, want Phase, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for asked := false; ; {
		state, alive, err := Look(folder)
		switch {
		case err != nil:
			return err
		case !alive && want == Held:
			return nil
		case !alive:
			return fmt.Errorf("nobody supervises %s any more", filepath.Base(folder))
		case state.Phase == want:
			return nil
		case !asked:
			asked = state.Supervisor.signal(s) == nil
		}
		if err := pause(ctx, lookEvery); err != nil {
			return err
		}
	}
}

// EndLeftovers ends all that carries the mark, and returns when nothing does any more: it is asked to end, and after grace it is made to.
func EndLeftovers(ctx context.Context, id string, grace time.Duration) error {
	end := time.Now().Add(grace)
	for asked := false; ; asked = true {
		left := marked(id)
		if len(left) == 0 || id == "" {
			return nil
		}
		for _, pid := range left {
			switch {
			case !time.Now().Before(end):
				signalTo(pid, syscall.SIGKILL)
			case !asked:
				signalTo(pid, syscall.SIGTERM)
			}
		}
		if err := pause(ctx, lookEvery); err != nil {
			return err
		}
	}
}

// Left tells whether anything runs that carries the mark.
func Left(id string) bool { return id != "" && len(marked(id)) > 0 }

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
