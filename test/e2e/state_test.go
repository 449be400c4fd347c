package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// lone starts a runner that has nothing but the bus and an empty folder, and gives what ends it by SIGKILL.
func lone(t *testing.T, name, bus string) (kill func()) {
	t.Helper()
	log := &lockedBuffer{}
	cmd := exec.Command(program, "runner", "--pool", "default", "--bus", bus, "--name", name, "--data-dir", filepath.Join(t.TempDir(), name))
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(os.Environ(), "VIVARIUM_TERRAFORM="+openTofu(t))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(t, cmd.Start())
	over := make(chan struct{})
	go func() { _ = cmd.Wait(); close(over) }()
	kill = func() {
		_ = cmd.Process.Kill()
		<-over
	}
	t.Cleanup(func() {
		kill()
		require.NotContains(t, log.String(), "DATA RACE")
		if t.Failed() {
			t.Logf("what the runner %s printed:\n%s", name, log)
		}
	})
	return kill
}

// TestTerraformIsDestroyedByAnotherRunnerThanAppliedIt, which shares nothing with the one that is gone: the state lies with
// the server.
func TestTerraformIsDestroyedByAnotherRunnerThanAppliedIt(t *testing.T) {
	const password = "correct-horse-battery-staple"
	broker := rabbit(t)
	s := server(t, "--primary", "--bus", broker.URL(), "--no-runner", "--catalogue", writeCatalogue(t, careless))
	kill := lone(t, "first", broker.URL())
	_, err := s.cli("env", "create", "handed", "--template", "careless", "--param", "password="+password, "--wait")
	require.NoError(t, err)
	kill()
	lone(t, "second", broker.URL())
	_, err = s.cli("env", "destroy", "handed", "--yes", "--wait")
	require.NoError(t, err)
	s.awaitStatus("handed", "destroyed")
	out, err := s.cli("env", "logs", "handed", "--step", "careless.terraform.database")
	require.NoError(t, err)
	require.Contains(t, out, "1 destroyed", "the second knew what the first had made")
	saved := 0
	for _, e := range s.journal("handed") {
		if e.Type == "step.state" {
			saved++
		}
	}
	require.NotZero(t, saved)
	s.stop()
	notInAnyFile(t, s.data, password)
}
