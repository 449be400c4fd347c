package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/test/ports"
	"github.com/vivarium-env/vivarium/test/servers"
)

// A container that is a process of this machine.
const lasting = `template "lasting" {
  version = "1.0.0"
}
parameter "port" { type = number }
parameter "version" { default = "one" }
parameter "password" {
  type      = string
  sensitive = true
}
resource "container" "api" {
  image = "lasting"
  env   = { PORT = tostring(param.port), VERSION = param.version, PASSWORD = param.password, SAY = "here I am" }
  files = { "/etc/lasting.txt" = "a file" }
  volume {
    name = "${environment.name}-data"
    path = "/data"
  }
  port { container = param.port }
  health {
    http {
      path = "/health"
      port = param.port
    }
    interval = "100ms"
  }
}
output "at" { value = "${resource.container.api.outputs.host}:${param.port}" }
`

// TestProcessesOutliveTheServer: what runs as a process goes on when the server, with its runner, is killed, is the same one afterwards, is
// mended and replaced like a container, and leaves nothing.
func TestProcessesOutliveTheServer(t *testing.T) {
	programs := t.TempDir()
	out, err := exec.Command("go", "build", "-o", filepath.Join(programs, "lasting"), servers.SampleApp).CombinedOutput()
	require.NoError(t, err, "%s", out)
	port, err := ports.One()
	require.NoError(t, err)
	t.Setenv("VIVARIUM_CONTAINER", "process")
	t.Setenv("VIVARIUM_PROCESS_PROGRAMS", programs)
	var s *instance
	killSupervisors := func() (killed int) {
		for _, file := range glob(t, filepath.Join(s.data, "processes/replicas/*/state.json")) {
			var state struct{ Supervisor struct{ PID int } }
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			require.NoError(t, json.Unmarshal(text, &state))
			if syscall.Kill(state.Supervisor.PID, syscall.SIGKILL) == nil {
				killed++
			}
		}
		return killed
	}
	t.Cleanup(func() { killSupervisors() }) // where the test has failed
	s = server(t, "--primary", "--catalogue", writeCatalogue(t, map[string]string{"template.hcl": lasting}))
	ask := func(path string) string {
		answer, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d%s", port, path))
		if err != nil {
			return err.Error()
		}
		defer func() { _ = answer.Body.Close() }()
		text, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		return string(text)
	}

	_, err = s.cli("env", "create", "notes", "--template", "lasting", "--param", fmt.Sprint("port=", port), "--param", "password=hunter2-hunter2", "--wait")
	require.NoError(t, err)
	require.Equal(t, "hunter2-hunter2", ask("/env?name=PASSWORD"))
	replica := ask("/env?name=VIVARIUM_REPLICA")
	s.kill()
	require.Equal(t, replica, ask("/env?name=VIVARIUM_REPLICA"), "nobody has noticed")
	s.start()
	check, err := s.cli("env", "check", "notes", "--wait")
	require.NoError(t, err, check)
	require.Equal(t, replica, ask("/env?name=VIVARIUM_REPLICA"))
	kept, err := s.cli("env", "logs", "notes", "--step", "lasting.container.api", "--operation", "op-1")
	require.NoError(t, err)
	require.Contains(t, kept, "here I am")

	require.Equal(t, 1, killSupervisors(), "as the end of the machine does")
	require.Eventually(t, func() bool { return strings.Contains(ask("/"), "refused") }, patience, 20*time.Millisecond)
	check, err = s.cli("env", "check", "notes", "--wait", "--detailed-exitcode")
	require.ErrorContains(t, err, "status 3", "%s", check)
	_, err = s.cli("env", "update", "notes", "--heal", "--wait")
	require.NoError(t, err)
	require.Equal(t, "hunter2-hunter2", ask("/env?name=PASSWORD"))
	require.NotEqual(t, replica, ask("/env?name=VIVARIUM_REPLICA"))
	replica = ask("/env?name=VIVARIUM_REPLICA")

	_, err = s.cli("env", "update", "notes", "--param", "version=two", "--wait")
	require.NoError(t, err)
	require.Equal(t, "two", ask("/"))
	require.NotEqual(t, replica, ask("/env?name=VIVARIUM_REPLICA"))

	_, err = s.cli("env", "destroy", "notes", "--yes", "--wait")
	require.NoError(t, err)
	require.Contains(t, ask("/"), "refused")
	for _, folder := range []string{"replicas", "volumes"} {
		require.Empty(t, glob(t, filepath.Join(s.data, "processes", folder, "[^.]*")))
	}
}

func glob(t *testing.T, pattern string) []string {
	all, err := filepath.Glob(pattern)
	require.NoError(t, err)
	return all
}
