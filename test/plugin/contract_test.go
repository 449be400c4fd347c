package plugin_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/executortest"
	"github.com/vivarium-env/vivarium/pkg/executor/plugin"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// programVariable tells the suite's child which program its parent built.
const programVariable = "PLUGIN_TEST_PROGRAM"

func program(t *testing.T) string {
	t.Helper()
	if path := os.Getenv(programVariable); path != "" {
		return path
	}
	path := filepath.Join(t.TempDir(), "file")
	out, err := exec.Command("go", "build", "-o", path, "./file").CombinedOutput()
	require.NoError(t, err, "%s", out)
	t.Setenv(programVariable, path)
	return path
}

// TestContract is that of every executor, over the protocol.
func TestContract(t *testing.T) {
	path := program(t)
	files := filepath.Dir(path) // which the suite's child shares
	inputs := func(rest string) json.RawMessage {
		return json.RawMessage(`{"path":"` + files + `/PATH",` + rest + `}`)
	}
	executortest.Run(t, executortest.Suite{
		New: func(t *testing.T, _ string) executor.Executor {
			p, err := plugin.Load(t.Context(), plugin.Options{Path: path, Environment: []string{"TMPDIR=" + files}})
			require.NoError(t, err)
			t.Cleanup(p.Close)
			return apart{p}
		},
		Plain:      inputs(`"content":"hello","note":null,"wait_for":null`),
		Other:      inputs(`"content":"hello, world"`),
		Partial:    &executortest.Partial{Inputs: inputs(`"content":null`), Unknown: map[string][]string{"content": {"sample.noop.other"}}},
		WithSecret: inputs(`"content":"` + executortest.Secret + `","note":"` + executortest.Secret + `"`),
		Slow: func(gate string) json.RawMessage {
			return inputs(`"content":"slow","note":"` + executortest.Underway + `","wait_for":"` + gate + `"`)
		},
		Tamper: func(t *testing.T, r executor.Request) {
			var b struct{ Path string }
			require.NoError(t, json.Unmarshal(own(r).Inputs, &b))
			require.NoError(t, os.WriteFile(b.Path, []byte("somebody else's"), 0o600))
		},
		Changed: func(lines []string) bool { return strings.Contains(strings.Join(lines, "\n"), "wrote") },
	})
}

// apart gives each environment and step of the suite a file of its own.
type apart struct{ *plugin.Plugin }

func own(r executor.Request) executor.Request {
	name := r.Environment + strings.Map(func(c rune) rune {
		if strings.ContainsRune(`["/]`, c) {
			return '-'
		}
		return c
	}, r.Step)
	r.Inputs = json.RawMessage(strings.ReplaceAll(string(r.Inputs), "PATH", name))
	return r
}

func (a apart) Plan(ctx context.Context, r executor.Request, verb event.Verb) (executor.Plan, error) {
	return a.Plugin.Plan(ctx, own(r), verb)
}

func (a apart) Apply(ctx context.Context, r executor.Request) (executor.Outputs, error) {
	return a.Plugin.Apply(ctx, own(r))
}

func (a apart) Destroy(ctx context.Context, r executor.Request) error {
	return a.Plugin.Destroy(ctx, own(r))
}

func (a apart) Observe(ctx context.Context, r executor.Request) (event.Observation, error) {
	return a.Plugin.Observe(ctx, own(r))
}
