package orchestrator

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/bus/nats"
	"github.com/vivarium-env/vivarium/pkg/environment"
	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/noop"
	"github.com/vivarium-env/vivarium/pkg/runner"
	"github.com/vivarium-env/vivarium/pkg/store"
)

// runnerVariable makes a process of this test's program a runner: its name, its folder and the address of the bus.
const runnerVariable = "VIVARIUM_TEST_RUNNER"

// runAlone is a runner process that has nothing but the address of the bus. In the middle of its first work it saves a
// state, says so, and works on for ever; when it gets a state, its work is to put that out.
func runAlone(settings string) error {
	var s [3]string
	if err := json.Unmarshal([]byte(settings), &s); err != nil {
		return err
	}
	ctx := context.Background()
	b, err := nats.Connect(ctx, nats.Options{URL: s[2]})
	if err != nil {
		return err
	}
	x := saver{Executor: noop.New(), apply: func(ctx context.Context, r executor.Request) (executor.Outputs, error) {
		if len(r.State) > 0 {
			got, err := json.Marshal(string(r.State))
			return executor.Outputs{"got": {Value: got}}, err
		}
		if err := r.SaveState(ctx, []byte("made by "+s[0])); err != nil {
			return nil, err
		}
		fmt.Println("saved")
		select {}
	}}
	r, err := runner.New(runner.Options{Bus: b, Name: s[0], Pools: []string{"elsewhere"}, WorkDir: s[1], Executors: []executor.Executor{x}})
	if err != nil {
		return err
	}
	if err := r.Start(ctx); err != nil {
		return err
	}
	select {}
}

// process starts such a runner; it is killed at the latest when the test is over.
func (r *rig) process(name string) (saved <-chan string, kill func()) {
	settings, err := json.Marshal([3]string{name, filepath.Join(r.dir, name), r.embedded.ClientURL()})
	require.NoError(r, err)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), runnerVariable+"="+string(settings))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(r, err)
	require.NoError(r, cmd.Start())
	said := make(chan string, 10)
	over := make(chan struct{})
	go func() {
		defer close(over)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			said <- lines.Text()
		}
		_ = cmd.Wait()
	}()
	kill = func() {
		_ = cmd.Process.Kill()
		<-over
	}
	r.Cleanup(kill)
	return said, kill
}

func TestARunnerThatIsKilledTakesNoStateWithIt(t *testing.T) {
	r := newRig(t)
	r.policy = environment.Policy{Lease: 2 * time.Second}
	r.heartbeat = 500 * time.Millisecond
	r.start()
	said, kill := r.process("first")
	r.create("one")
	select {
	case line := <-said:
		require.Equal(t, "saved", line)
	case <-time.After(patience):
		t.Fatal("nothing was saved")
	}
	kill() // SIGKILL, in the middle of the apply
	r.process("second")
	r.await("one", environment.Deployed)
	list, _, err := r.store.Resources(t.Context(), "one", store.Page{Limit: -1})
	require.NoError(t, err)
	require.JSONEq(t, `{"got":"made by first"}`, string(list[0].Outputs))
	require.True(t, strings.HasPrefix(list[0].Step.Runner, "second/"))
	require.Equal(t, event.Apply, list[0].Step.Verb)
	require.Greater(t, list[0].Step.Attempt, 1)
}
