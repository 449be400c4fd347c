package supervisor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// patience bounds every wait of a test.
const patience = 60 * time.Second

const word = "supervise-for-a-test"

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == word {
		if err := Main(os.Args[2], os.Stdin); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

func command() []string { return []string{os.Args[0], word} }

// shell starts a supervisor of a shell script, which is ended with the test.
func shell(t *testing.T, script string, change func(*Spec)) (folder string, s Spec) {
	t.Helper()
	folder = t.TempDir()
	s = Spec{ID: uuid.NewString(), Path: "/bin/sh", Args: []string{"sh", "-c", script}, Dir: folder, Env: []string{"PATH=/usr/bin:/bin"}, Restart: Always, StopTimeout: patience}
	if change != nil {
		change(&s)
	}
	t.Cleanup(func() {
		unlock, err := Stop(context.Background(), folder, s.ID, time.Second)
		unlock()
		require.NoError(t, err)
		require.False(t, Left(s.ID))
	})
	require.NoError(t, Start(t.Context(), command(), folder, s))
	return folder, s
}

func said(t *testing.T, folder string) (lines []string) {
	t.Helper()
	r := Read(folder)
	defer func() { require.NoError(t, r.Close()) }()
	require.NoError(t, r.Lines(func(_ time.Time, stream, line string) bool {
		lines = append(lines, stream+" "+line)
		return true
	}))
	return lines
}

func eventually(t *testing.T, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, patience, 10*time.Millisecond)
}

func look(t *testing.T, folder string) (State, bool) {
	t.Helper()
	s, alive, err := Look(folder)
	require.NoError(t, err)
	return s, alive
}

func TestItRunsUntilItIsStopped(t *testing.T) {
	folder, s := shell(t, `trap 'echo bye; exit 0' TERM; echo hello; echo oh >&2; sleep 1000 & wait`, nil)
	eventually(t, func() bool { return len(said(t, folder)) == 2 })
	require.ElementsMatch(t, []string{"out hello", "err oh"}, said(t, folder))
	state, alive := look(t, folder)
	require.True(t, alive)
	require.Equal(t, Running, state.Phase)
	require.True(t, state.Program.Alive())
	require.True(t, Left(s.ID))

	require.ErrorContains(t, Start(t.Context(), command(), folder, s), "somebody else", "a folder has one supervisor")
	unlock, err := Stop(t.Context(), folder, s.ID, patience)
	require.NoError(t, err)
	require.ErrorContains(t, Start(t.Context(), command(), folder, s), "somebody else", "none is started that was late")
	unlock()
	require.Equal(t, "out bye", said(t, folder)[2])
	require.False(t, Left(s.ID), "what is in the background goes too")
	state, alive = look(t, folder)
	require.False(t, alive)
	require.Equal(t, Exited, state.Phase)
	require.Zero(t, state.ExitCode)
}

func TestItIsStartedAgain(t *testing.T) {
	folder, _ := shell(t, `echo run; exit 3`, nil)
	eventually(t, func() bool { state, _ := look(t, folder); return state.Restarts >= 2 })
	state, alive := look(t, folder)
	require.True(t, alive)
	require.Equal(t, 3, state.ExitCode)
	require.GreaterOrEqual(t, len(said(t, folder)), 2)
}

func TestItIsNotStartedAgain(t *testing.T) {
	for restart, code := range map[string]int{Never: 3, OnFailure: 0} {
		folder, _ := shell(t, "exit "+strconv.Itoa(code), func(s *Spec) { s.Restart = restart })
		eventually(t, func() bool { _, alive := look(t, folder); return !alive })
		state, _ := look(t, folder)
		require.Equal(t, Exited, state.Phase)
		require.Equal(t, code, state.ExitCode)
		require.Zero(t, state.Restarts)
	}
}

// TestWhatIsLeftBehindGoesToo when the program ends by itself, in whatever session it is.
func TestWhatIsLeftBehindGoesToo(t *testing.T) {
	folder, s := shell(t, `setsid sh -c 'touch away; sleep 1000' & until [ -e away ]; do sleep 0.01; done`, func(s *Spec) { s.Restart = Never })
	eventually(t, func() bool { _, alive := look(t, folder); return !alive })
	require.FileExists(t, filepath.Join(folder, "away"))
	require.False(t, Left(s.ID))
}

func TestHoldAndResume(t *testing.T) {
	folder, s := shell(t, `echo run; sleep 1000`, nil)
	require.NoError(t, Hold(t.Context(), folder, patience))
	require.False(t, Left(s.ID))
	require.NoError(t, Resume(t.Context(), folder))
	require.True(t, Left(s.ID))
	require.NoError(t, Hold(t.Context(), folder, patience))
	unlock, err := Stop(t.Context(), folder, s.ID, patience)
	unlock()
	require.NoError(t, err)
}

// TestWhatDoesNotEnd is ended, and so is what has left its group and its session.
func TestWhatDoesNotEnd(t *testing.T) {
	folder, s := shell(t, `trap '' TERM; setsid sh -c 'trap "" TERM; echo away; sleep 1000; sleep 1000' & while :; do sleep 1000; done`, func(s *Spec) { s.StopTimeout = 50 * time.Millisecond })
	eventually(t, func() bool { return len(said(t, folder)) == 1 })
	unlock, err := Stop(t.Context(), folder, s.ID, s.StopTimeout)
	unlock()
	require.NoError(t, err)
	require.False(t, Left(s.ID))
	state, _ := look(t, folder)
	require.Equal(t, 128+int(syscall.SIGKILL), state.ExitCode)
}

// TestSupervisorKilled: it is seen, and what is left of the program is found.
func TestSupervisorKilled(t *testing.T) {
	folder, s := shell(t, `trap '' TERM; echo deaf; while :; do sleep 1000; done`, nil)
	eventually(t, func() bool { return len(said(t, folder)) == 1 })
	state, _ := look(t, folder)
	require.NoError(t, state.Supervisor.signal(syscall.SIGKILL))
	eventually(t, func() bool { _, alive := look(t, folder); return !alive })
	require.False(t, state.Supervisor.Alive())
	require.True(t, Left(s.ID), "it has not listened")
	unlock, err := Stop(t.Context(), folder, s.ID, 100*time.Millisecond)
	unlock()
	require.NoError(t, err)
	require.False(t, Left(s.ID))
}

func TestWhatCanNotBeStarted(t *testing.T) {
	folder := t.TempDir()
	err := Start(t.Context(), command(), folder, Spec{ID: "x", Path: filepath.Join(folder, "none"), Args: []string{"none"}, Dir: folder})
	require.ErrorContains(t, err, "no such file")
	_, alive := look(t, folder)
	require.False(t, alive)
	require.Error(t, Start(t.Context(), []string{"/nowhere"}, folder, Spec{}))
}

// TestSecretsAreInMemoryAlone: what the program is given is in no file and on no command line.
func TestSecretsAreInMemoryAlone(t *testing.T) {
	const hidden = "correct-horse-battery"
	t.Setenv("VIVARIUM_BUS", hidden+"-of-the-runner")
	folder, s := shell(t, `sleep 1000`, func(s *Spec) { s.Env = append(s.Env, "PASSWORD="+hidden) })
	state, _ := look(t, folder)
	for _, file := range []string{"cmdline", "environ"} {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", state.Supervisor.PID, file))
		require.NoError(t, err)
		require.NotContains(t, string(text), hidden, "of the supervisor")
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", state.Program.PID))
	require.NoError(t, err)
	require.Contains(t, string(text), "PASSWORD="+hidden+"\x00")
	require.NotContains(t, string(text), "of-the-runner")
	require.NoError(t, filepath.WalkDir(folder, func(at string, e os.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(at)
		require.NotContains(t, string(text), hidden)
		info, _ := e.Info()
		require.Zero(t, info.Mode()&0o077, at)
		return err
	}))
	require.True(t, Left(s.ID))
}

func TestAnIdentityIsOfOneProcess(t *testing.T) {
	me := identify(os.Getpid())
	require.True(t, me.Alive())
	for _, other := range []Identity{{PID: me.PID, Start: me.Start + 1, Boot: me.Boot}, {PID: me.PID, Start: me.Start, Boot: "before"}, {}} {
		require.False(t, other.Alive())
		require.ErrorIs(t, other.signal(syscall.SIGKILL), os.ErrProcessDone)
	}
}

// TestLogRotates: the oldest goes, and a reader that is in the middle of it misses nothing of what is there.
func TestLogRotates(t *testing.T) {
	folder := t.TempDir()
	l, err := openLog(filepath.Join(folder, logFolder))
	require.NoError(t, err)
	defer l.close()
	r := Read(folder)
	defer func() { _ = r.Close() }()
	long := strings.Repeat("x", lineBytes)
	total := (logFiles + 2) * logBytes / lineBytes
	var got []string
	var last time.Time
	take := func(at time.Time, _, line string) bool {
		require.True(t, at.After(last))
		last = at
		n, _, _ := strings.Cut(line, " ")
		got = append(got, n)
		return true
	}
	for i := range total {
		l.add("out", []byte(fmt.Sprint(i, " ", long)))
		if i%100 == 0 {
			require.NoError(t, r.Lines(take))
		}
	}
	require.NoError(t, r.Lines(take))
	require.Len(t, got, total)
	require.Equal(t, strconv.Itoa(total-1), got[total-1])
	require.Len(t, logs(l.folder), logFiles)
	info, err := os.Stat(l.name(l.number))
	require.NoError(t, err)
	require.LessOrEqual(t, info.Size(), int64(logBytes+2*lineBytes))
}

func TestLinesThatCanNotBeWrittenAreCounted(t *testing.T) {
	folder := t.TempDir()
	l, err := openLog(filepath.Join(folder, logFolder))
	require.NoError(t, err)
	defer l.close()
	l.close()
	require.NoError(t, os.Rename(l.folder, l.folder+".away"))
	l.add("out", []byte("one"))
	l.add("out", []byte("two"))
	require.NoError(t, os.Rename(l.folder+".away", l.folder))
	l.add("out", []byte("three"))
	require.Equal(t, []string{"err (2 lines are left out here: they could not be written)", "out three"}, said(t, folder))
}
