package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"net/netip"
	"testing"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor/container/internal/replicas"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// handmade is a container that somebody has started without Vivarium.
func (w *work) handmade(t *testing.T, o client.ContainerCreateOptions, before ...func(id string)) found {
	t.Helper()
	made, err := w.docker.ContainerCreate(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, w.discard(context.Background(), found{InspectResponse: container.InspectResponse{ID: made.ID, Name: made.ID}}))
	})
	for _, f := range before {
		f(made.ID)
	}
	_, err = w.docker.ContainerStart(t.Context(), made.ID, client.ContainerStartOptions{})
	require.NoError(t, err)
	f, there, err := w.inspect(t.Context(), made.ID)
	require.NoError(t, err)
	require.True(t, there)
	return f
}

// adopting is a bed whose state is kept as the server does.
func adopting(t *testing.T, inputs string) (*bed, *work) {
	t.Helper()
	b := newBed(t, inputs)
	b.request.SaveState = func(_ context.Context, data []byte) error {
		b.request.State = data
		return nil
	}
	w, err := b.begin(t.Context(), b.request)
	require.NoError(t, err)
	return b, w
}

func simple() client.ContainerCreateOptions {
	return client.ContainerCreateOptions{Config: &container.Config{Image: sample}, HostConfig: &container.HostConfig{}}
}

const simpleInputs = `{"image":"sample:1","pull":"never","restart":"no"}`

// take adopts what the id names.
func (b *bed) take(f found) {
	b.Helper()
	b.request.Adopt = json.RawMessage(replicas.JSON(f.ID))
	got, err := b.Adopt(b.Context(), b.request)
	require.NoError(b.T, err)
	values := map[string]json.RawMessage{}
	for name, v := range got {
		values[name] = v.Value
	}
	b.request.Outputs, b.request.Adopt = json.RawMessage(replicas.JSON(values)), nil
}

// requireGone wants neither the container nor its mark.
func (b *bed) requireGone(w *work, f found) {
	b.Helper()
	_, there, err := w.inspect(b.Context(), f.ID)
	require.NoError(b.T, err)
	require.False(b.T, there)
	m, err := w.holder(b.Context(), f.ID)
	require.NoError(b.T, err)
	require.Nil(b.T, m)
	require.Nil(b.T, b.request.State)
}

// TestAdoptLeavesItAlone: a container as people start them goes on as if nothing had happened, and is replaced by the next change.
func TestAdoptLeavesItAlone(t *testing.T) {
	const inputs = `{"image":"sample:1","pull":"never","restart":"unless-stopped","networks":["adoptnet"],"env":{"VERSION":%q,"PASSWORD":"not-for-all"},"files":{"/etc/app/x":"text"},
		"user":"0","port":[{"container":8080}],"labels":{"team":"notes"},"limits":{"memory":"64Mi"},"volume":[{"host_path":%q,"path":"/data"},{"name":"adopted-data","path":"/more","read_only":true}],` + healthy + `}`
	folder := t.TempDir()
	b, w := adopting(t, `{"image":"x"}`)
	b.inputs(inputs, "1", folder)
	b.request.Secrets = []string{"not-for-all"}
	_, err := b.docker.NetworkCreate(t.Context(), "adoptnet", client.NetworkCreateOptions{Driver: "bridge"})
	require.NoError(t, err)
	t.Cleanup(func() {
		_, err := b.docker.NetworkRemove(context.Background(), "adoptnet", client.NetworkRemoveOptions{})
		require.NoError(t, err)
		_, err = b.docker.VolumeRemove(context.Background(), "adopted-data", client.VolumeRemoveOptions{})
		require.NoError(t, err)
	})
	_, err = b.docker.ImageTag(t.Context(), client.ImageTagOptions{Source: sample, Target: "handmade:1"})
	require.NoError(t, err)
	port := network.MustParsePort("8080/tcp")
	f := w.handmade(t, client.ContainerCreateOptions{
		Config: &container.Config{Image: "handmade:1", Env: []string{"VERSION=1", "PASSWORD=not-for-all"}, User: "0", Labels: map[string]string{"team": "notes"}},
		HostConfig: &container.HostConfig{
			NetworkMode: "adoptnet", Binds: []string{folder + ":/data", "adopted-data:/more:ro"}, RestartPolicy: container.RestartPolicy{Name: "unless-stopped"},
			PortBindings: network.PortMap{port: {{}}}, Resources: container.Resources{Memory: 64 << 20, MemorySwap: 64 << 20},
		},
		NetworkingConfig: &network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{"adoptnet": {Aliases: []string{"api"}}}},
	}, func(id string) {
		var archive bytes.Buffer
		files := tar.NewWriter(&archive)
		require.NoError(t, files.WriteHeader(&tar.Header{Name: "etc/app/x", Mode: 0o444, Size: 4}))
		_, err := files.Write([]byte("text"))
		require.NoError(t, err)
		require.NoError(t, files.Close())
		_, err = b.docker.CopyToContainer(t.Context(), id, client.CopyToContainerOptions{DestinationPath: "/", Content: &archive})
		require.NoError(t, err)
	})
	b.request.Adopt = json.RawMessage(replicas.JSON(f.Called()))
	eventually(t, func() bool { return len(b.plan().Differences) == 0 })
	require.Equal(t, event.ChangeNone, b.plan().Change)
	require.Empty(t, b.containers(), "a plan marks nothing")
	b.take(f)
	b.take(f) // again
	now, _, err := w.inspect(t.Context(), f.ID)
	require.NoError(t, err)
	require.Equal(t, f.State.StartedAt, now.State.StartedAt, "it was not started again")
	require.Equal(t, f.State.Pid, now.State.Pid)
	require.Equal(t, []string{f.Called()}, b.containers())
	require.Equal(t, event.Observation{Presence: event.Present}, b.observe())
	require.Equal(t, event.ChangeNone, b.plan().Change)
	b.apply()
	require.Equal(t, []string{f.Called()}, b.containers())

	_, err = b.docker.ContainerPause(t.Context(), f.ID, client.ContainerPauseOptions{})
	require.NoError(t, err)
	require.Contains(t, b.observe().Differences, event.Difference{Path: "replica 1", Change: event.ChangeReplace, Before: "running", After: "paused"})
	_, err = b.docker.ContainerUnpause(t.Context(), f.ID, client.ContainerUnpauseOptions{})
	require.NoError(t, err)

	b.inputs(inputs, "2", folder)
	require.Equal(t, event.Plan{Change: event.ChangeReplace, Differences: []event.Difference{
		{Path: "env.VERSION", Change: event.ChangeUpdate, Before: "1", After: "2"}}}, b.plan())
	o := b.apply()
	require.NotEqual(t, []string{f.Called()}, o.Names)
	require.Equal(t, o.Names, b.containers())
	b.requireGone(w, f)
	require.Equal(t, event.Observation{Presence: event.Present}, b.observe())
	require.NoError(t, b.Destroy(t.Context(), b.request))
}

// TestAdoptTellsWhatIsOther: what no block can ask for is told too, and nobody sees values that nobody has said may be seen.
func TestAdoptTellsWhatIsOther(t *testing.T) {
	b, w := adopting(t, `{"image":"sample:1","pull":"never","env":{"A":"1"},"files":{"/etc/a":"b"}}`)
	o := simple()
	o.Config = &container.Config{Image: sample, Hostname: "special", Tty: true, StopSignal: "SIGINT", Env: []string{"A=2", "TOKEN=others-secret"}}
	o.HostConfig = &container.HostConfig{
		CapAdd: []string{"NET_ADMIN"}, ExtraHosts: []string{"db:192.0.2.1"}, PidMode: "host", ReadonlyRootfs: true, Tmpfs: map[string]string{"/tmp": ""},
		RestartPolicy: container.RestartPolicy{Name: "on-failure", MaximumRetryCount: 7}, Resources: container.Resources{Memory: 64 << 20, CPUShares: 12},
		PortBindings: network.PortMap{network.MustParsePort("8080/tcp"): {{HostIP: netip.MustParseAddr("127.0.0.1")}}},
	}
	f := w.handmade(t, o)
	b.request.Adopt = json.RawMessage(replicas.JSON(f.ID))
	plan := b.plan()
	require.Equal(t, event.ChangeReplace, plan.Change)
	var paths []string
	for _, d := range plan.Differences {
		paths = append(paths, d.Path)
	}
	require.ElementsMatch(t, []string{
		"env.A", "env.TOKEN", "files./etc/a", "limits.memory", "port.8080", "restart", "docker.CapAdd", "docker.CpuShares", "docker.ExtraHosts",
		"docker.Hostname", "docker.MemorySwap", "docker.PidMode", "docker.ReadonlyRootfs", "docker.RestartPolicy.MaximumRetryCount", "docker.SecurityOpt", "docker.StopSignal",
		"docker.Tmpfs", "docker.Tty", "port.8080 on the host",
	}, paths)
	require.NotContains(t, replicas.JSON(plan), "others-secret")
	require.Contains(t, plan.Differences, event.Difference{Path: "docker.Hostname", Change: event.ChangeDestroy, Before: "special"})
	require.Empty(t, b.containers())
	b.take(f) // all the same
	b.requireGone(w, f)
	require.Equal(t, event.ChangeNone, b.plan().Change)
	b.request.Adopt = json.RawMessage(replicas.JSON(f.ID)) // an attempt that is made again
	require.Equal(t, event.ChangeNone, b.plan().Change)
	_, err := b.Adopt(t.Context(), b.request)
	require.NoError(t, err)
}

// TestAdoptCutOff: what was to be replaced and was not yet is replaced by whatever comes next.
func TestAdoptCutOff(t *testing.T) {
	b, w := adopting(t, simpleInputs)
	o := simple()
	o.Config = &container.Config{Image: sample, Hostname: "special"}
	f := w.handmade(t, o)
	b.request.Adopt = json.RawMessage(replicas.JSON(f.ID))
	cut, err := b.begin(t.Context(), b.request)
	require.NoError(t, err)
	require.NoError(t, cut.take(t.Context()))
	require.NoError(t, cut.ensureImage(t.Context()))
	require.NoError(t, cut.claim(t.Context()))
	b.request.Adopt = nil
	require.Equal(t, event.Plan{Change: event.ChangeReplace, Differences: []event.Difference{{Path: "configuration", Change: event.ChangeUpdate}}}, b.plan())
	b.apply()
	b.requireGone(w, f)
}

func TestAdoptStopped(t *testing.T) {
	b, w := adopting(t, `{"image":"sample:1","pull":"never"}`)
	o := simple()
	o.HostConfig = &container.HostConfig{RestartPolicy: container.RestartPolicy{Name: "always"}}
	f := w.handmade(t, o)
	_, err := b.docker.ContainerStop(t.Context(), f.ID, client.ContainerStopOptions{})
	require.NoError(t, err)
	b.request.Adopt = json.RawMessage(replicas.JSON(f.ID))
	require.Equal(t, event.Plan{Change: event.ChangeUpdate, Differences: []event.Difference{
		{Path: "replica 1", Change: event.ChangeReplace, Before: "exited (code 0)", After: "running"}}}, b.plan())
}

// TestAdoptSick: it would be replaced, so it is not as the block says.
func TestAdoptSick(t *testing.T) {
	b, w := adopting(t, `{"image":"sample:1","pull":"never","restart":"no","env":{"UNHEALTHY":"no database"},`+healthy+`}`)
	o := simple()
	o.Config = &container.Config{Image: sample, Env: []string{"UNHEALTHY=no database"}}
	f := w.handmade(t, o)
	b.request.Adopt = json.RawMessage(replicas.JSON(f.ID))
	require.Equal(t, "replica 1 health", b.plan().Differences[0].Path)
}

// TestAdoptedIsFound by what the engine has alone, and by the state alone; a destroy leaves neither.
func TestAdoptedIsFound(t *testing.T) {
	engine(t) // before its parts want it side by side
	for name, lose := range map[string]func(b *bed, f found){
		"no state": func(b *bed, _ found) { b.request.State = nil },
		"no mark": func(b *bed, f found) {
			_, err := b.docker.VolumeRemove(b.Context(), markPrefix+f.ID, client.VolumeRemoveOptions{})
			require.NoError(b.T, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			b, w := adopting(t, simpleInputs)
			f := w.handmade(t, simple())
			b.take(f)
			require.NotNil(t, b.request.State)
			lose(b, f)
			require.Equal(t, event.Observation{Presence: event.Present}, b.observe())
			plan, err := b.Plan(t.Context(), b.request, event.Destruct)
			require.NoError(t, err)
			require.Equal(t, []event.Difference{{Path: "container " + f.Called(), Change: event.ChangeDestroy}}, plan.Differences)
			b.apply()
			m, err := w.holder(t.Context(), f.ID)
			require.NoError(t, err)
			require.NotNil(t, m, "an apply makes the mark again")
			require.Equal(t, []string{f.Called()}, b.containers())
			lose(b, f)
			require.NoError(t, b.Destroy(t.Context(), b.request))
			b.requireGone(w, f)
			b.request.Outputs = nil
			require.Equal(t, event.Observation{Presence: event.Absent}, b.observe())
		})
	}
}

// TestAdoptAnothers: one that another environment has made, or has taken over, is refused, also where both do it at once.
func TestAdoptAnothers(t *testing.T) {
	b, w := adopting(t, simpleInputs)
	f := w.handmade(t, simple())
	other := *b
	other.request.Environment += "-other"
	other.request.Adopt, other.request.State = json.RawMessage(replicas.JSON(f.ID)), nil
	late, err := other.begin(t.Context(), other.request)
	require.NoError(t, err)
	require.NoError(t, late.take(t.Context()))
	require.NoError(t, late.ensureImage(t.Context()))
	b.take(f)
	require.Equal(t, fault.Exists, fault.From(late.claim(t.Context())).Code)
	_, err = other.Plan(t.Context(), other.request, event.Apply)
	require.Equal(t, fault.Exists, fault.From(err).Code)
	require.Contains(t, err.Error(), b.request.Environment)
	require.NoError(t, b.Destroy(t.Context(), b.request))

	made := b.apply()
	other.request.Adopt = json.RawMessage(replicas.JSON(made.Names[0]))
	_, err = other.Adopt(t.Context(), other.request)
	require.Equal(t, fault.Exists, fault.From(err).Code)
	for _, id := range []string{`true`, `""`, `"a/b"`, `null`, `["x"]`} {
		other.request.Adopt = json.RawMessage(id)
		_, err = other.Plan(t.Context(), other.request, event.Apply)
		require.Equal(t, fault.Invalid, fault.From(err).Code, "%s", id)
	}
}
