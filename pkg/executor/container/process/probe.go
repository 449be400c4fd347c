package process

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/vivarium-env/vivarium/pkg/executor/container/internal/replicas"
	"github.com/vivarium-env/vivarium/pkg/executor/internal/process"
)

// host is where all processes are reached.
const host = "127.0.0.1"

// ping asks once; "" is the answer of a healthy process, else it says what was wrong.
func (w *work) ping(ctx context.Context, f found) string {
	h := w.block.Health
	if len(h.Command) == 0 {
		return w.probe.Ping(ctx, *h, net.JoinHostPort(host, strconv.Itoa(h.Port())))
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(h.Timeout))
	defer cancel()
	return w.check(ctx, f)
}

// check runs the block's command as the program is run: with its variables, in its folder, as its user.
func (w *work) check(ctx context.Context, f found) string {
	user, err := w.user()
	if err != nil {
		return "its user is not there"
	}
	words := w.moved(rootOf(f.folder)).list(w.block.Health.Command)
	path, err := process.Look(words[0], w.options.Path, w.dir(f.folder))
	if err != nil {
		return fmt.Sprintf("its health check can't be run: there is no program %q that may be run", words[0])
	}
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, path, words[1:]...) //nolint:gosec // the template says what is run
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = w.dir(f.folder), w.env(f.folder), &said, &said, time.Second
	cmd.SysProcAttr = attributes(user)
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	err = cmd.Run()
	switch {
	case err == nil:
		return ""
	case cmd.ProcessState == nil:
		return fmt.Sprintf("its health check can't be run: %s", err)
	}
	return fmt.Sprintf("its health check said (code %d) %q", cmd.ProcessState.ExitCode(), replicas.Cut(strings.TrimSpace(said.String()), replicas.ShownBytes))
}
