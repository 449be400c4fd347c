package docker

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	dcontainer "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/container/internal/replicas"
	"github.com/vivarium-env/vivarium/pkg/executor/executortest"
)

const envHost = "VIVARIUM_DOCKER_TEST_HOST"

// TestContract runs what every executor has to pass. Its slow apply waits for a container to get healthy.
func TestContract(t *testing.T) {
	host := os.Getenv(envHost) // where the test is the child that is killed, of the engine that its parent has
	if host == "" {
		host = engine(t).Host()
		t.Setenv(envHost, host)
	}
	executortest.Run(t, executortest.Suite{
		New: func(t *testing.T, _ string) executor.Executor {
			e := New(Options{Host: host, Key: box})
			t.Cleanup(func() { require.NoError(t, e.Close()) })
			return e
		},
		Plain:      json.RawMessage(`{"image":"sample:1","pull":"never","env":{"VERSION":"1"},"health":{"http":{"path":"/health","port":8080}}}`),
		Other:      json.RawMessage(`{"image":"sample:1","pull":"never","env":{"VERSION":"2"},"replicas":2,"health":{"http":{"path":"/health","port":8080}}}`),
		WithSecret: json.RawMessage(fmt.Sprintf(`{"image":"sample:1","pull":"never","env":{"PASSWORD":%q,"SAY":%q},"files":{"/etc/app/password":%q},"command":[]}`, executortest.Secret, executortest.Secret, executortest.Secret)),
		Partial: &executortest.Partial{
			Inputs:  json.RawMessage(`{"image":"sample:1","pull":"never","env":null,"health":{"http":{"path":"/health","port":8080}}}`),
			Unknown: map[string][]string{"env": {"resource.terraform.network"}},
		},
		Slow: func(gate string) json.RawMessage {
			dir := filepath.Dir(gate)
			return json.RawMessage(fmt.Sprintf(`{"image":"sample:1","pull":"never","env":{"SAY":%q,"GATE":"/gate/%s"},
				"volume":[{"host_path":%q,"path":"/gate","read_only":true}],"health":{"http":{"path":"/health","port":8080},"interval":"100ms"}}`,
				executortest.Underway, filepath.Base(gate), dir))
		},
		Tamper: func(t *testing.T, r executor.Request) {
			e := New(Options{Host: host, Key: box})
			w, err := e.begin(t.Context(), r)
			require.NoError(t, err)
			defer e.Close()
			all, err := w.list(t.Context())
			require.NoError(t, err)
			require.NotEmpty(t, all)
			_, err = w.docker.ContainerRemove(t.Context(), all[0].ID, client.ContainerRemoveOptions{Force: true})
			require.NoError(t, err)
		},
		Adopt: func(t *testing.T, r executor.Request) json.RawMessage {
			e := New(Options{Host: host, Key: box})
			w, err := e.begin(t.Context(), r)
			require.NoError(t, err)
			defer e.Close()
			f := w.handmade(t, client.ContainerCreateOptions{Config: &dcontainer.Config{Image: sample, Env: []string{"VERSION=1"}},
				HostConfig: &dcontainer.HostConfig{RestartPolicy: dcontainer.RestartPolicy{Name: "always"}}})
			require.Eventually(t, func() bool { return w.ping(t.Context(), f) == "" }, patience, 10*time.Millisecond)
			return json.RawMessage(replicas.JSON(f.Called()))
		},
		Changed: func(lines []string) bool {
			return strings.Contains(strings.Join(lines, "\n"), "is started") || strings.Contains(strings.Join(lines, "\n"), "is removed")
		},
	})
}
