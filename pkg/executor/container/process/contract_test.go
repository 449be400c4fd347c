package process

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/executortest"
)

// TestContract runs what every executor has to pass. All runners of the suite are of one machine, so they share the folder; the
// program listens wherever it can, since several run at once.
func TestContract(t *testing.T) {
	folder := os.Getenv(folderVariable) // where the test is the child that is killed, that of its parent
	if folder == "" {
		folder = t.TempDir()
		t.Setenv(folderVariable, folder)
		t.Cleanup(func() { endAll(t, folder) })
	}
	made := func(t *testing.T) *Executor { return New(options(t, folder)) }
	executortest.Run(t, executortest.Suite{
		New:   func(t *testing.T, _ string) executor.Executor { return made(t) },
		Plain: json.RawMessage(`{"image":"app","env":{"PORT":"0","VERSION":"1"},"stop_timeout":"5s"}`),
		Other: json.RawMessage(`{"image":"app:latest","env":{"PORT":"0","VERSION":"2"},"replicas":2,"files":{"/etc/app/x":"y"}}`),
		WithSecret: json.RawMessage(fmt.Sprintf(`{"image":"app","env":{"PORT":"0","PASSWORD":%[1]q,"SAY":%[1]q},"files":{"/etc/app/password":%[1]q},"command":["serve",%[1]q],"labels":{"x":%[1]q}}`,
			executortest.Secret)),
		Partial: &executortest.Partial{
			Inputs:  json.RawMessage(`{"image":"app","env":null,"stop_timeout":"5s"}`),
			Unknown: map[string][]string{"env": {"resource.terraform.network"}},
		},
		Slow: func(gate string) json.RawMessage {
			return json.RawMessage(fmt.Sprintf(`{"image":"app","env":{"PORT":"0","SAY":%q},"volume":[{"host_path":%q,"path":"/gate"}],
				"health":{"command":["test","-e","/gate/%s"],"interval":"100ms"}}`, executortest.Underway, filepath.Dir(gate), filepath.Base(gate)))
		},
		Tamper: func(t *testing.T, r executor.Request) {
			w, err := made(t).begin(t.Context(), r)
			require.NoError(t, err)
			all, err := w.list()
			require.NoError(t, err)
			require.NotEmpty(t, all)
			require.NoError(t, syscall.Kill(all[0].state.Supervisor.PID, syscall.SIGKILL))
			eventually(t, func() bool { f, _, err := w.look(all[0].name); return err == nil && !f.alive })
		},
		Changed: func(lines []string) bool {
			return strings.Contains(strings.Join(lines, "\n"), "is started") || strings.Contains(strings.Join(lines, "\n"), "is removed")
		},
	})
}

// endAll ends what tests of the suite leave.
func endAll(t *testing.T, folder string) {
	w := &work{Executor: New(options(t, folder))}
	all, err := w.everything("")
	require.NoError(t, err)
	for _, f := range all {
		require.NoError(t, w.removeWithin(context.Background(), f, 0))
	}
}
