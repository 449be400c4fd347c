package action_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/action"
	"github.com/vivarium-env/vivarium/pkg/executor/executortest"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestContract(t *testing.T) {
	executortest.Run(t, executortest.Suite{
		New: func(_ *testing.T, dir string) executor.Executor {
			return action.New(action.Options{CacheDir: filepath.Join(dir, "cache"), Environment: os.Environ()})
		},
		Plain: inputs(t, map[string]any{"command": []string{"echo", "hello"}}),
		WithSecret: inputs(t, map[string]any{
			"command":     []string{"sh", "-c", `test -n "$PASSWORD" && printf '{"password":"%s"}' "$PASSWORD" >result && echo "$(cat result)" | tr a-z A-Z; rm result`},
			"environment": map[string]string{"PASSWORD": executortest.Secret},
		}),
		Slow: func(gate string) json.RawMessage {
			return inputs(t, map[string]any{"command": []string{
				"sh", "-c", `echo ` + executortest.Underway + `; until [ -e "$1" ]; do sleep 0.05; done`, "sh", gate,
			}})
		},
		Unobservable: true,
		Lacks: map[string]string{
			"Other": "an action that has run is not run again for other inputs", "Partial": "the same",
			"Tamper": "what a command leaves is the command's",
		},
	})
}

func inputs(t *testing.T, v any) json.RawMessage {
	t.Helper()
	data, err := json.Marshal(v)
	require.NoError(t, err)
	return data
}

// run applies a block of an action in a fresh place.
func run(t *testing.T, block map[string]any, adapt ...func(*action.Options, *executor.Request)) (executor.Outputs, []string, error) {
	t.Helper()
	log := &executortest.Log{}
	o := action.Options{CacheDir: t.TempDir(), Environment: os.Environ(), Grace: 50 * time.Millisecond}
	r := executor.Request{
		TaskRef: event.TaskRef{Environment: "notes", Operation: "op-7", Step: "notes.action.migrate", Attempt: 3},
		Inputs:  inputs(t, block),
		WorkDir: t.TempDir(),
		Log:     log.Add,
	}
	for _, f := range adapt {
		f(&o, &r)
	}
	outputs, err := action.New(o).Apply(t.Context(), r)
	return outputs, log.Take(), err
}

func shell(script string) map[string]any {
	return map[string]any{"command": []string{"sh", "-c", script}}
}

func text(t *testing.T, o executor.Outputs, name string) string {
	t.Helper()
	var s string
	require.NoError(t, json.Unmarshal(o[name].Value, &s))
	return s
}

func TestOutputs(t *testing.T) {
	outputs, lines, err := run(t, shell(`echo one; echo; echo two >&2; echo three`))
	require.NoError(t, err)
	require.Equal(t, "one\n\nthree", text(t, outputs, "stdout"))
	require.JSONEq(t, "0", string(outputs["exit_code"].Value))
	require.JSONEq(t, "null", string(outputs["json"].Value))
	require.ElementsMatch(t, []string{"one", "", "two", "three"}, lines)
}

func TestJSONOutput(t *testing.T) {
	outputs, _, err := run(t, shell(`printf '{\n "a": [1, 2]\n}\n'`))
	require.NoError(t, err)
	require.JSONEq(t, `{"a":[1,2]}`, string(outputs["json"].Value))

	outputs, _, err = run(t, shell(`printf '[1]'`))
	require.NoError(t, err)
	require.JSONEq(t, `null`, string(outputs["json"].Value), "a list is no object")

	outputs, _, err = run(t, shell(`printf '{"a":"'; head -c 200000 /dev/zero | tr '\0' x; printf '"}'`))
	require.NoError(t, err)
	require.Len(t, outputs["json"].Value, 200000+len(`{"a":""}`), "a line in pieces is put together again")
}

func TestLongOutputKeepsItsEnd(t *testing.T) {
	outputs, lines, err := run(t, shell(`head -c 3000000 /dev/zero | tr '\0' x; echo end`))
	require.NoError(t, err)
	stdout := text(t, outputs, "stdout")
	require.LessOrEqual(t, len(stdout), 64<<10)
	require.True(t, strings.HasSuffix(stdout, "xxxend"), "the end is kept")
	for _, line := range lines {
		require.LessOrEqual(t, len(line), 64<<10)
	}
}

func TestEnvironmentIsOnlyWhatIsGiven(t *testing.T) {
	t.Setenv("RUNNER_TOKEN", "of-the-runner")
	block := map[string]any{"command": []string{"env"}, "environment": map[string]string{"MODE": "up", "VIVARIUM_STEP": "forged"}}
	outputs, _, err := run(t, block, func(o *action.Options, r *executor.Request) {
		r.Occasion = "demand"
		o.Environment = []string{"RUNNER_TOKEN=of-the-runner", "PATH=/usr/bin:/bin", "HOME=/somewhere"}
	})
	require.NoError(t, err)
	var names []string
	for entry := range strings.Lines(text(t, outputs, "stdout")) {
		names = append(names, strings.TrimSpace(entry))
	}
	for i, n := range names {
		if strings.HasPrefix(n, "PWD=") {
			names[i] = "PWD"
		}
	}
	require.ElementsMatch(t, []string{
		"PATH=/usr/bin:/bin", "HOME=/somewhere", "MODE=up", "PWD", "VIVARIUM_ENVIRONMENT=notes",
		"VIVARIUM_STEP=notes.action.migrate", "VIVARIUM_ATTEMPT=3", "VIVARIUM_OPERATION=op-7", "VIVARIUM_OCCASION=demand",
	}, names)
}

func TestFailures(t *testing.T) {
	for name, c := range map[string]struct {
		block map[string]any
		want  fault.Error
		says  string
	}{
		"exit code": {
			shell(`echo first >&2; echo "no such table" >&2; exit 3`),
			fault.Error{Code: fault.ExecutorFailed, Disposition: fault.Retry}, "exit code 3: no such table",
		},
		"silent": {
			map[string]any{"command": []string{"false"}},
			fault.Error{Code: fault.ExecutorFailed, Disposition: fault.Retry}, "exit code 1",
		},
		"signal": {
			shell(`kill -9 $$`),
			fault.Error{Code: fault.ExecutorFailed, Disposition: fault.Retry}, "exit code 137",
		},
		"no program": {
			map[string]any{"command": []string{"no-such-program"}},
			fault.Error{Code: fault.ExecutorFailed, Disposition: fault.GiveUp}, "install it on the runner",
		},
		"no command": {
			map[string]any{"command": []string{}},
			fault.Error{Code: fault.Invalid, Disposition: fault.GiveUp}, "either a command",
		},
		"variable": {
			map[string]any{"command": []string{"true"}, "environment": map[string]string{"A=B": "c"}},
			fault.Error{Code: fault.Invalid, Disposition: fault.GiveUp}, "A=B",
		},
		"files that did not come": {
			map[string]any{"command": []string{"true"}, "files": "./files"},
			fault.Error{Code: fault.NotFound, Disposition: fault.GiveUp}, "did not come",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := run(t, c.block)
			found := fault.From(err)
			require.Equal(t, c.want.Code, found.Code)
			require.Equal(t, c.want.Disposition, found.Disposition)
			require.Contains(t, found.Message, c.says)
		})
	}
}

func TestMessagesAndOutputsHideSecrets(t *testing.T) {
	secret := func(_ *action.Options, r *executor.Request) { r.Secrets = []string{"hunter22"} }
	_, _, err := run(t, shell(`echo "wrong password hunter22" >&2; exit 1`), secret)
	require.NotContains(t, err.Error(), "hunter22")
	require.Contains(t, err.Error(), "wrong password")

	outputs, _, err := run(t, shell(`echo "it is hunter22"`), secret)
	require.NoError(t, err)
	require.True(t, outputs["stdout"].Sensitive)
	require.False(t, outputs["exit_code"].Sensitive)
}

// TestNothingIsLeftRunning cancels a command that ignores interrupts and has a child that does too.
func TestNothingIsLeftRunning(t *testing.T) {
	pids := filepath.Join(t.TempDir(), "pids")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	log := &executortest.Log{}
	done := make(chan error, 1)
	e := action.New(action.Options{CacheDir: t.TempDir(), Grace: 50 * time.Millisecond})
	go func() {
		_, err := e.Apply(ctx, executor.Request{
			Inputs: inputs(t, map[string]any{"command": []string{"sh", "-c",
				`trap '' INT; sleep 1000 & echo $! $$ >"$1"; echo underway; wait; wait; sleep 1000`, "sh", pids}}),
			WorkDir: t.TempDir(), Log: log.Add,
		})
		done <- err
	}()
	require.Eventually(t, func() bool { return log.Has("underway") }, executortest.Patience, time.Millisecond)
	cancel()
	require.Equal(t, fault.Cancelled, fault.From(<-done).Code)
	found, err := os.ReadFile(pids)
	require.NoError(t, err)
	for _, pid := range strings.Fields(string(found)) {
		require.Eventually(t, func() bool { return gone(pid) }, executortest.Patience, time.Millisecond, "process %s goes on", pid)
	}
}

func gone(pid string) bool {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	return err != nil || strings.Contains(string(stat), ") Z ")
}
