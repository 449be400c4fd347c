package process_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vivarium-env/vivarium/pkg/executor/internal/process"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 60 * time.Second

// lines collects what a command says.
type lines struct {
	mu   sync.Mutex
	said []string
}

func (l *lines) add(line []byte, more bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := string(line)
	if more {
		text += "..."
	}
	l.said = append(l.said, text)
}

func (l *lines) has(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.said {
		if s == text {
			return true
		}
	}
	return false
}

func shell(l *lines, script string) process.Command {
	return process.Command{
		Path: "/bin/sh", Args: []string{"sh", "-c", script}, Dir: "/", Env: []string{"PATH=/usr/bin:/bin", "MARK=mine"},
		Grace: patience, Out: l.add, Err: l.add, Marks: []string{"MARK=mine"},
	}
}

func gone(pid string) bool {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	return err != nil || strings.Contains(string(stat), ") Z ")
}

func TestLinesAndCode(t *testing.T) {
	l := &lines{}
	c := shell(l, `printf 'one\r\n\nabcdefghijklmnopqrst\nend'; exit 5`)
	c.MaxLine = 16
	code, err := process.Run(t.Context(), c)
	require.NoError(t, err)
	require.Equal(t, 5, code)
	require.Equal(t, []string{"one", "", "abcdefghijklmnop...", "qrst", "end"}, l.said)
}

func TestWhatStaysInTheBackgroundEndsToo(t *testing.T) {
	l := &lines{}
	code, err := process.Run(t.Context(), shell(l, `sleep 1000 & echo $!`))
	require.NoError(t, err)
	require.Zero(t, code)
	require.Eventually(t, func() bool { return gone(l.said[0]) }, patience, time.Millisecond)
}

// TestOutputHeldByARunaway has a child that left the group and holds the output open.
func TestOutputHeldByARunaway(t *testing.T) {
	l := &lines{}
	code, err := process.Run(t.Context(), shell(l, `setsid sh -c 'echo $$; exec sleep 1000' & wait $! & sleep 0.2; echo done`))
	require.NoError(t, err)
	require.Zero(t, code)
	for _, s := range l.said {
		if pid, err := strconv.Atoi(s); err == nil {
			require.NoError(t, (&os.Process{Pid: pid}).Kill())
		}
	}
	require.True(t, l.has("done"))
}

func TestInterruptAlone(t *testing.T) {
	l := &lines{}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() {
		_, err := process.Run(ctx, shell(l, `trap 'echo saved; exit 0' INT; echo ready; while :; do sleep 0.05; done`))
		done <- err
	}()
	require.Eventually(t, func() bool { return l.has("ready") }, patience, time.Millisecond)
	cancel()
	require.ErrorIs(t, <-done, context.Canceled, "what was interrupted has not succeeded")
	require.True(t, l.has("saved"), "it could end in its own way")
}

func TestNoSuchProgram(t *testing.T) {
	_, err := process.Run(t.Context(), process.Command{Path: "/nowhere", Args: []string{"nowhere"}})
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestRecordIsThereOnlyWhileItRuns(t *testing.T) {
	c := shell(&lines{}, "")
	c.Record = filepath.Join(t.TempDir(), "record")
	c.Args[2] = `until [ -e ` + c.Record + ` ]; do sleep 0.01; done`
	_, err := process.Run(t.Context(), c)
	require.NoError(t, err)
	require.NoFileExists(t, c.Record)
}

func TestEndLeftovers(t *testing.T) {
	record := filepath.Join(t.TempDir(), "record")
	require.NoError(t, process.EndLeftovers(t.Context(), record, []string{"MARK=mine"}), "no record, nothing to do")

	left := exec.Command("setsid", "sh", "-c", "sleep 1000 & wait")
	left.Env = []string{"PATH=/usr/bin:/bin", "MARK=mine"}
	require.NoError(t, left.Start())
	waited := make(chan error, 1)
	go func() { waited <- left.Wait() }()
	pid := strconv.Itoa(left.Process.Pid)
	require.Eventually(t, func() bool { return leads(pid) }, patience, time.Millisecond)

	require.NoError(t, os.WriteFile(record, []byte(pid), 0o600))
	require.NoError(t, process.EndLeftovers(t.Context(), record, []string{"MARK=other"}))
	require.Empty(t, waited, "a group without the marks is somebody else's")

	require.NoError(t, os.WriteFile(record, []byte(pid), 0o600))
	require.NoError(t, process.EndLeftovers(t.Context(), record, []string{"MARK=mine"}))
	require.Error(t, <-waited)
	require.NoFileExists(t, record)

	require.NoError(t, os.WriteFile(record, []byte("1x"), 0o600))
	require.NoError(t, process.EndLeftovers(t.Context(), record, []string{"MARK=mine"}), "a record cut short")
}

// leads tells whether a process has become the leader of its own group and runs sh.
func leads(pid string) bool {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	fields := strings.Fields(string(stat))
	return err == nil && len(fields) > 4 && fields[1] == "(sh)" && fields[4] == pid
}

func TestLook(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "run"), nil, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "text"), nil, 0o600))
	found, err := process.Look("./run", "", dir)
	require.NoError(t, err)
	require.Equal(t, filepath.Join(dir, "run"), found)
	found, err = process.Look("run", "/nowhere:"+dir, "/")
	require.NoError(t, err)
	require.Equal(t, filepath.Join(dir, "run"), found)
	_, err = process.Look("text", dir, "/")
	require.ErrorIs(t, err, os.ErrPermission)
	_, err = process.Look("run", ":.:", dir)
	require.ErrorIs(t, err, os.ErrNotExist, "the working folder is not searched")
	_, err = process.Look("./", "", dir)
	require.ErrorIs(t, err, os.ErrPermission)
}
