package e2e

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// background runs the program until the context ends, and then wants a clean exit.
func background(t *testing.T, ctx context.Context, args ...string) {
	t.Helper()
	log := &lockedBuffer{}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = patience
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(os.Environ(), "VIVARIUM_TERRAFORM="+openTofu(t))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(t, cmd.Start())
	done := make(chan struct{})
	go func() { _ = cmd.Wait(); close(done) }()
	t.Cleanup(func() {
		<-done
		require.NotContains(t, log.String(), "DATA RACE")
		if t.Failed() {
			t.Logf("what %s printed:\n%s", args[0], log)
		}
	})
}

type stepFact struct {
	Step    string
	Attempt int
	Verb    string
}

// once checks that no step was offered again after it had been completed.
func once(t *testing.T, journal []entry) (completed int) {
	t.Helper()
	done := map[string]bool{}
	for _, e := range journal {
		var f stepFact
		require.NoError(t, json.Unmarshal(e.Data, &f))
		switch e.Type {
		case "step.waiting":
			require.False(t, done[f.Step], "%s was applied again after it had been completed", f.Step)
		case "step.complete":
			require.False(t, done[f.Step], "%s was completed twice", f.Step)
			done[f.Step] = true
		}
	}
	return len(done)
}

func TestKillNineInTheMiddleOfADeployment(t *testing.T) {
	s := server(t, "--primary")
	_, err := s.cli("env", "create", "notes", "--template", "notes")
	require.NoError(t, err)
	for _, completed := range []int{1, 5} { // twice: early, and with more to lose
		require.Eventually(t, func() bool { return once(t, s.journal("notes")) >= completed }, patience, 20*time.Millisecond)
		s.kill()
		s.start()
	}
	s.awaitStatus("notes", "deployed")
	var resources struct{ Items []json.RawMessage }
	s.get("environments/notes/resources?limit=1000", &resources)
	require.Equal(t, len(resources.Items), once(t, s.journal("notes")))

	drawing, err := s.cli("env", "graph", "notes", "-o", "dot")
	require.NoError(t, err)
	draw := exec.Command("dot", "-Tsvg")
	draw.Stdin = strings.NewReader(drawing)
	if svg, err := draw.Output(); err == nil {
		require.Contains(t, string(svg), "terraform.network")
	} else {
		t.Logf("NOT RUN: dot is not installed (%v), so nothing has read the drawing but this test", err)
		require.True(t, strings.HasPrefix(drawing, "digraph"))
	}

	_, err = s.cli("env", "destroy", "notes", "--yes", "--wait")
	require.NoError(t, err)
	s.awaitStatus("notes", "destroyed")
}
