package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/test/servers"
)

// program is the binary under test, built with the race detector.
var program string

func TestMain(m *testing.M) {
	var err error
	if program, err = servers.BuiltForRaces(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	servers.Main(m)
}

const patience = 90 * time.Second

// tofu is the path of a real OpenTofu.
var tofu = sync.OnceValues(func() (string, error) {
	return servers.OpenTofu(context.Background(), os.Stderr)
})

func openTofu(t *testing.T) string {
	path, err := tofu()
	require.NoError(t, err)
	return path
}

// instance is one running `vivarium server`.
type instance struct {
	t    *testing.T
	cmd  *exec.Cmd
	data string
	args []string
	env  []string
	log  *lockedBuffer
	done chan error
	API  string
	Bus  string
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// server starts one on a data folder of its own and waits until it is ready.
func server(t *testing.T, args ...string) *instance {
	t.Helper()
	s := &instance{t: t, data: filepath.Join(t.TempDir(), "data"), log: &lockedBuffer{},
		args: append([]string{"server", "--listen", "127.0.0.1:0", "--catalogue", catalogue(t)}, args...)}
	s.env = append(os.Environ(), "VIVARIUM_TERRAFORM="+openTofu(t))
	s.start()
	t.Cleanup(func() {
		s.stop()
		if t.Failed() {
			t.Logf("what the server printed:\n%s", s.log)
		}
		require.NotContains(t, s.log.String(), "DATA RACE")
	})
	return s
}

func catalogue(t *testing.T) string {
	dir, err := filepath.Abs("../../templates")
	require.NoError(t, err)
	return dir
}

func (s *instance) start() {
	s.t.Helper()
	s.cmd = exec.Command(program, append(s.args, "--data-dir", s.data)...)
	s.cmd.Stdout, s.cmd.Stderr, s.cmd.Env = s.log, s.log, s.env
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(s.t, s.cmd.Start())
	done := make(chan error, 1)
	cmd := s.cmd
	go func() { done <- cmd.Wait(); close(done) }()
	s.done = done
	require.Eventually(s.t, func() bool {
		var found struct{ API, Bus string }
		text, err := os.ReadFile(filepath.Join(s.data, "server.json"))
		if err != nil || json.Unmarshal(text, &found) != nil || found.API == "" {
			return false
		}
		s.API, s.Bus = strings.TrimSuffix(found.API, "/"), found.Bus
		answer, err := http.Get(s.url("self/readiness"))
		if err != nil {
			return false
		}
		_ = answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	}, patience, 50*time.Millisecond, "the server is not ready: %s", s.log)
}

// stop ends it as an operator would; it has to exit cleanly.
func (s *instance) stop() {
	if s.cmd.ProcessState != nil {
		return
	}
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-s.done:
		require.NoError(s.t, err, "%s", s.log)
	case <-time.After(patience):
		_ = s.cmd.Process.Kill()
		s.t.Errorf("the server did not stop: %s", s.log)
	}
}

// kill ends it by SIGKILL, in the middle of whatever it does.
func (s *instance) kill() {
	require.NoError(s.t, s.cmd.Process.Kill())
	<-s.done
}

func (s *instance) url(path string) string { return s.API + "/api/v1/" + path }

// get reads a JSON answer.
func (s *instance) get(path string, into any) int {
	s.t.Helper()
	answer, err := http.Get(s.url(path))
	require.NoError(s.t, err)
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	require.NoError(s.t, err)
	require.NoError(s.t, json.Unmarshal(body, into), "%s: %s", path, body)
	return answer.StatusCode
}

// cli runs a command of the program against this server.
func (s *instance) cli(args ...string) (stdout string, err error) {
	return cli(s.t, append(args, "--data-dir", s.data)...)
}

func cli(t *testing.T, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	return cliWithin(ctx, args...)
}

func cliWithin(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if err != nil {
		err = fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, errs.String())
	}
	return out.String(), err
}

// status waits until the environment has the status.
func (s *instance) awaitStatus(name, want string) {
	s.t.Helper()
	var seen struct {
		Status string
		Error  json.RawMessage
	}
	require.Eventually(s.t, func() bool {
		s.get("environments/"+name, &seen)
		return seen.Status == want
	}, patience, 50*time.Millisecond, "%s never became %s; it is %v", name, want, &seen)
}

// entry is a journal entry as the API shows it.
type entry struct {
	Seq  uint64
	Type string
	Data json.RawMessage
}

func (s *instance) journal(name string) []entry {
	s.t.Helper()
	var page struct{ Items []entry }
	s.get("environments/"+name+"/journal?limit=1000", &page)
	return page.Items
}
