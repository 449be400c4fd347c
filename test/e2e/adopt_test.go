package e2e

import (
	"context"
	"testing"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"github.com/stretchr/testify/require"
)

const handmade = `template "handmade" {
  version = "1.0.0"
}
parameter "say" { type = string }
resource "container" "api" {
  image   = "gated:1"
  pull    = "never"
  restart = "unless-stopped"
  env     = { SAY = param.say }
}
`

// TestARunningContainerIsTakenOver: by a server, over its runner, without being started again; it is updated and destroyed with
// its environment.
func TestARunningContainerIsTakenOver(t *testing.T) {
	s, docker := dockerServer(t, map[string]string{"template.hcl": handmade})
	made, err := docker.ContainerCreate(t.Context(), client.ContainerCreateOptions{Name: "web-1",
		Config:     &container.Config{Image: "gated:1", Env: []string{"SAY=hello"}},
		HostConfig: &container.HostConfig{RestartPolicy: container.RestartPolicy{Name: "unless-stopped"}}})
	require.NoError(t, err)
	t.Cleanup(func() {
		_, _ = docker.ContainerRemove(context.Background(), made.ID, client.ContainerRemoveOptions{Force: true}) // where the test failed
	})
	_, err = docker.ContainerStart(t.Context(), made.ID, client.ContainerStartOptions{})
	require.NoError(t, err)
	started := func() string {
		got, err := docker.ContainerInspect(t.Context(), made.ID, client.ContainerInspectOptions{})
		require.NoError(t, err)
		return got.Container.State.StartedAt
	}
	before := started()
	adopt := []string{"env", "adopt", "taken", "--template", "handmade", "--resource", "handmade.container.api=web-1", "--yes", "--wait"}

	said, err := s.cli(append(adopt, "--param", "say=bye")...)
	require.Error(t, err)
	require.Contains(t, said, "is not taken over")
	require.Contains(t, said, "env.SAY")
	_, err = s.cli("env", "destroy", "taken", "--yes", "--wait")
	require.NoError(t, err)
	require.Equal(t, before, started(), "what was refused is left alone, also by a destroy")

	_, err = s.cli(append(adopt, "--param", "say=hello")...)
	require.NoError(t, err)
	_, err = s.cli("env", "check", "taken", "--wait", "--detailed-exitcode")
	require.NoError(t, err)
	require.Equal(t, before, started())

	_, err = s.cli("env", "destroy", "taken", "--yes", "--wait")
	require.NoError(t, err)
	_, err = docker.ContainerInspect(t.Context(), made.ID, client.ContainerInspectOptions{})
	require.Error(t, err, "it is destroyed with its environment")
	marks, err := docker.VolumeList(t.Context(), client.VolumeListOptions{Filters: client.Filters{}.Add("label", "vivarium.adopted")})
	require.NoError(t, err)
	require.Empty(t, marks.Items)
}
