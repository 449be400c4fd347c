package image

import (
	"bytes"
	"testing"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/test/servers"
)

// TestDocker: a real engine takes the image, runs it as nobody, and gives it back once nobody uses it.
func TestDocker(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a Docker Engine")
	}
	ctx, engine, i := t.Context(), servers.SharedDocker(t), made(t, "1.0.0")
	d, err := OpenDocker(engine.Host())
	require.NoError(t, err)
	defer func() { require.NoError(t, d.Close()) }()
	has := func(want bool) {
		t.Helper()
		there, err := d.Has(ctx, i)
		require.NoError(t, err)
		require.Equal(t, want, there)
	}
	has(false)
	require.NoError(t, d.Load(ctx, i))
	has(true)
	require.NoError(t, d.Load(ctx, i), "it does no harm again")

	_, err = d.client.ImageTag(ctx, client.ImageTagOptions{Source: i.Name(), Target: "other:1"})
	require.NoError(t, err)
	other, err := Of(Source{Programs: []Program{sample(t, "GOFLAGS=-ldflags=-s")}, Version: "2"})
	require.NoError(t, err)
	require.NoError(t, d.Load(ctx, other))
	_, err = d.client.ImageTag(ctx, client.ImageTagOptions{Source: other.Name(), Target: i.Name()})
	require.NoError(t, err)
	has(false) // the name is another's
	require.NoError(t, d.Load(ctx, i))
	has(true)

	c := runs(t, d.client, i.Name())
	by, err := d.Remove(ctx, i.Name())
	require.NoError(t, err)
	require.Len(t, by, 1)
	require.Contains(t, by[0], "container ")
	has(true)
	_, err = d.client.ContainerRemove(ctx, c, client.ContainerRemoveOptions{Force: true})
	require.NoError(t, err)
	for range 2 { // what is gone does no harm
		by, err = d.Remove(ctx, i.Name())
		require.NoError(t, err)
		require.Empty(t, by)
	}
	has(false)
	_, err = d.client.ImageInspect(ctx, "other:1")
	require.NoError(t, err, "what somebody else calls it stays")

	require.NoError(t, engine.Stop(ctx))
	_, err = d.Has(ctx, i)
	require.True(t, fault.Is(err, fault.Unavailable), "%v", err)
	require.ErrorContains(t, err, "start the engine")
	require.True(t, fault.Is(d.Load(ctx, i), fault.Unavailable))
	require.NoError(t, engine.Start(ctx))
}

// runs a container of the image to its end, which says as whom.
func runs(t *testing.T, docker *client.Client, image string) (id string) {
	t.Helper()
	made, err := docker.ContainerCreate(t.Context(), client.ContainerCreateOptions{Config: &container.Config{Image: image}})
	require.NoError(t, err)
	_, err = docker.ContainerStart(t.Context(), made.ID, client.ContainerStartOptions{})
	require.NoError(t, err)
	w := docker.ContainerWait(t.Context(), made.ID, client.ContainerWaitOptions{})
	select {
	case <-w.Result:
	case err := <-w.Error:
		require.NoError(t, err)
	}
	logs, err := docker.ContainerLogs(t.Context(), made.ID, client.ContainerLogsOptions{ShowStdout: true, ShowStderr: true})
	require.NoError(t, err)
	defer func() { _ = logs.Close() }()
	var said bytes.Buffer
	_, err = stdcopy.StdCopy(&said, &said, logs)
	require.NoError(t, err)
	require.Equal(t, "65532 65532 server --primary\n", said.String())
	return made.ID
}
