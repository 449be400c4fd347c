package servers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
)

// child is a process that does not outlive this one.
type child struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended and err is set
	err  error
	// console is the file that it prints to, of one that was started on one.
	console string
}

// startChild starts cmd so that it is killed when this process dies. The kernel ties that to the thread that started
// it, therefore one locked thread starts it and stays until it ends. Attributes that cmd brings with it have to be tied too.
func startChild(cmd *exec.Cmd) (*child, error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = tied()
	}
	c := &child{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			c.err = cmd.Wait()
			close(c.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting %s: %w", cmd.Path, err)
	}
	return c, nil
}

// running tells whether the process has not ended yet.
func (c *child) running() bool {
	if c == nil {
		return false
	}
	select {
	case <-c.done:
		return false
	default:
		return true
	}
}

// kill ends the process at once and waits until it is gone.
func (c *child) kill() error {
	if !c.running() {
		return nil
	}
	err := c.cmd.Process.Kill()
	<-c.done
	return err
}

// stop asks the process to end, and ends it by force when ctx ends first.
func (c *child) stop(ctx context.Context) error {
	if !c.running() {
		return nil
	}
	_ = c.cmd.Process.Signal(syscall.SIGCONT) // one that is frozen would not hear the other
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-c.done:
		return nil
	case <-ctx.Done():
		return errors.Join(ctx.Err(), c.kill())
	}
}

// lastWords is the end of a file that a server prints to.
func lastWords(console string) string {
	text, err := os.ReadFile(console)
	if err != nil {
		return err.Error()
	}
	const enough = 4000
	return string(text[max(0, len(text)-enough):])
}

// environmentWithout is that of this process with another home, and without the variables with one of the prefixes: they
// would lead a server to what is somebody else's.
func environmentWithout(home string, prefixes ...string) []string {
	var env []string
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		foreign := func(prefix string) bool { return strings.HasPrefix(name, prefix) }
		if name != "HOME" && name != "NOTIFY_SOCKET" && !slices.ContainsFunc(prefixes, foreign) {
			env = append(env, kv)
		}
	}
	return append(env, "HOME="+home)
}
