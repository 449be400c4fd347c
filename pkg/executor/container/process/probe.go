package process

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/vivarium-env/vivarium/pkg/executor/internal/process"
)

// host is where all processes are reached.
const host = "127.0.0.1"

// ping asks once; "" is the answer of a healthy process, else it says what was wrong.
func (w *work) ping(ctx context.Context, f found) string {
	h := w.block.Health
	ctx, cancel := context.WithTimeout(ctx, time.Duration(h.Timeout))
	defer cancel()
	at := net.JoinHostPort(host, strconv.Itoa(w.probePort()))
	switch {
	case len(h.Command) > 0:
		return w.check(ctx, f)
	case h.HTTP != nil:
		return w.get(ctx, "http://"+at+h.HTTP.Path)
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", at)
	if err != nil {
		return fmt.Sprintf("port %d accepts no connection", w.probePort())
	}
	_ = conn.Close()
	return ""
}

func (w *work) get(ctx context.Context, url string) string {
	h := w.block.Health.HTTP
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Sprintf("%q is no path that can be asked for", h.Path)
	}
	answer, err := w.probe.Do(request)
	if err != nil {
		return fmt.Sprintf("%s on port %d does not answer", h.Path, h.Port)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode >= 200 && answer.StatusCode < 400 {
		return ""
	}
	text, _ := io.ReadAll(io.LimitReader(answer.Body, shownBytes))
	return fmt.Sprintf("%s on port %d answers %s %q", h.Path, h.Port, answer.Status, text)
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
	return fmt.Sprintf("its health check said (code %d) %q", cmd.ProcessState.ExitCode(), cut(strings.TrimSpace(said.String()), shownBytes))
}
