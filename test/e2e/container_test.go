package e2e

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/moby/moby/client"
	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/test/servers"
)

// A container that is well while a file is there.
const gated = `template "gated" {
  version = "1.0.0"
}
parameter "gate" { type = string }
resource "container" "api" {
  image = "gated:1"
  pull  = "never"
  env   = { GATE = "/gate/open", SAY = "here I am" }
  volume {
    host_path = param.gate
    path      = "/gate"
  }
  limits { memory = "64Mi" }
}
status "web" {
  url      = "http://${resource.container.api.outputs.addresses[0]}:8080/health"
  interval = "200ms"
}
output "url" { value = "http://${resource.container.api.outputs.addresses[0]}:8080" }
`

// dockerServer is a server whose runner has a real Docker, and a client of that.
func dockerServer(t *testing.T, templates map[string]string) (*instance, *client.Client) {
	t.Helper()
	d := servers.SharedDocker(t)
	require.NoError(t, d.Image(t.Context(), "gated:1", servers.SampleApp))
	c, err := d.Client()
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	t.Setenv("DOCKER_HOST", d.Host())
	return server(t, "--primary", "--catalogue", writeCatalogue(t, templates)), c
}

// follower is a running `vivarium env logs -f`.
func (s *instance) follower(args ...string) *lockedBuffer {
	s.t.Helper()
	out := &lockedBuffer{}
	cmd := exec.Command(program, append(append([]string{"env", "logs", "-f"}, args...), "--data-dir", s.data)...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(s.t, cmd.Start())
	over := make(chan error, 1)
	go func() { over <- cmd.Wait() }()
	s.t.Cleanup(func() {
		if s.t.Failed() {
			_ = cmd.Process.Kill()
			<-over
			return
		}
		select {
		case err := <-over:
			require.NoError(s.t, err, "%s", out)
		case <-time.After(patience):
			_ = cmd.Process.Kill()
			s.t.Errorf("it goes on although the container is no more: %s", out)
		}
	})
	return out
}

func (s *instance) awaitHealth(name, want string) {
	s.t.Helper()
	var seen struct{ Health *struct{ Status string } }
	require.Eventually(s.t, func() bool {
		seen.Health = nil
		s.get("environments/"+name, &seen)
		return seen.Health != nil && seen.Health.Status == want
	}, patience, 100*time.Millisecond, "%s never became %s", name, want)
}

// TestAContainerIsLookedAfter: usage, logs and health of what is deployed on a real Docker; destroyed, nothing is left.
func TestAContainerIsLookedAfter(t *testing.T) {
	s, docker := dockerServer(t, map[string]string{"template.hcl": gated})
	gate := t.TempDir()
	require.NoError(t, os.Chmod(gate, 0o755))
	open := filepath.Join(gate, "open")
	require.NoError(t, os.WriteFile(open, nil, 0o644))
	_, err := s.cli("env", "create", "looked-after", "--template", "gated", "--param", "gate="+gate, "--wait")
	require.NoError(t, err)
	s.awaitHealth("looked-after", "healthy")

	log := s.follower("looked-after", "--step", "gated.container.api")
	var record struct{ Outputs map[string]string }
	s.get("environments/looked-after", &record)
	say := func(text string) {
		answer, err := http.Get(record.Outputs["url"] + "/say?text=" + url.QueryEscape(text))
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
	}
	say("said after the deployment")
	require.Eventually(t, func() bool { return strings.Contains(log.String(), "said after the deployment") }, patience, 50*time.Millisecond, "%s", log)

	var usage event.Usage
	require.Equal(t, http.StatusOK, s.get("environments/looked-after/resources/gated.container.api/usage", &usage))
	require.Len(t, usage.Replicas, 1)
	require.Equal(t, "running", usage.Replicas[0].State)
	require.Positive(t, usage.Replicas[0].Memory)
	require.Equal(t, int64(64<<20), usage.Replicas[0].MemoryLimit)
	shown, err := s.cli("env", "usage", "looked-after")
	require.NoError(t, err)
	require.Contains(t, shown, "64.0 MiB")

	require.NoError(t, os.Remove(open))
	s.awaitHealth("looked-after", "degraded")
	require.NoError(t, os.WriteFile(open, nil, 0o644))
	s.awaitHealth("looked-after", "healthy")

	_, err = s.cli("env", "destroy", "looked-after", "--yes", "--wait")
	require.NoError(t, err)
	left, err := docker.ContainerList(context.WithoutCancel(t.Context()), client.ContainerListOptions{All: true,
		Filters: client.Filters{}.Add("label", "vivarium.environment=looked-after")})
	require.NoError(t, err)
	require.Empty(t, left.Items)
	kept, err := s.cli("env", "logs", "looked-after", "--step", "gated.container.api", "--operation", "op-1")
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(kept, "said after the deployment"), "%s", kept)
	require.Equal(t, 1, strings.Count(kept, "here I am"), "%s", kept)
}
