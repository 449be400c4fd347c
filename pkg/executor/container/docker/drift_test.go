package docker

import (
	"os"
	"strings"
	"testing"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor/container/internal/replicas"
)

// TestDrift: what somebody does behind our back is seen, said in words, and mended.
func TestDrift(t *testing.T) {
	full := `{"image":"sample:1","pull":"never","replicas":2,"networks":["drift"],"restart":"unless-stopped","limits":{"cpu":0.5,"memory":"64Mi"},
		"port":[{"container":8080}],"labels":{"team":"notes"},"command":["serve"],"env":{"A":"1"},` + healthy + `}`
	b := newBed(t, full)
	o := b.apply()
	require.Equal(t, event.Observation{Presence: event.Present}, b.observe())
	for name, c := range map[string]struct {
		tamper func() error
		want   event.Difference
	}{
		"stopped": {func() error {
			_, err := b.docker.ContainerStop(t.Context(), o.Names[0], client.ContainerStopOptions{})
			return err
		}, event.Difference{Path: "replica 1", Change: event.ChangeReplace, Before: "running", After: "exited (code 0)"}},
		"removed": {func() error {
			_, err := b.docker.ContainerRemove(t.Context(), o.Names[1], client.ContainerRemoveOptions{Force: true})
			return err
		}, event.Difference{Path: "replica 2", Change: event.ChangeDestroy, Before: "running"}},
		"paused": {func() error {
			_, err := b.docker.ContainerPause(t.Context(), o.Names[0], client.ContainerPauseOptions{})
			return err
		}, event.Difference{Path: "replica 1", Change: event.ChangeReplace, Before: "running", After: "paused"}},
		"other limits": {func() error {
			_, err := b.docker.ContainerUpdate(t.Context(), o.Names[0], client.ContainerUpdateOptions{Resources: &container.Resources{Memory: 128 << 20, MemorySwap: 128 << 20}})
			return err
		}, event.Difference{Path: "limits.memory", Change: event.ChangeUpdate, Before: "67108864 bytes", After: "134217728 bytes"}},
		"off the network": {func() error {
			_, err := b.docker.NetworkDisconnect(t.Context(), "drift", client.NetworkDisconnectOptions{Container: o.Names[0], Force: true})
			return err
		}, event.Difference{Path: "networks", Change: event.ChangeDestroy, Before: "drift"}},
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, c.tamper())
			found := b.observe()
			require.True(t, found.Drifted)
			require.Contains(t, found.Differences, c.want)
			require.NotEqual(t, event.ChangeNone, b.plan().Change)
			o = b.apply()
			require.Equal(t, event.Observation{Presence: event.Present}, b.observe())
			require.Equal(t, event.ChangeNone, b.plan().Change)
		})
	}
}

func TestDriftOfAll(t *testing.T) {
	b := newBed(t, `{"image":"sample:1","pull":"never"}`)
	o := b.apply()
	_, err := b.docker.ContainerRemove(t.Context(), o.Names[0], client.ContainerRemoveOptions{Force: true})
	require.NoError(t, err)
	require.Equal(t, event.Observation{Presence: event.Absent, Drifted: true, Differences: []event.Difference{
		{Path: "replica 1", Change: event.ChangeDestroy, Before: "running"}}}, b.observe())
	require.Equal(t, event.ChangeCreate, b.plan().Change)
}

// TestUnhealthyIsDrift: a container that runs and no longer answers is seen, and replaced by the next apply.
func TestUnhealthyIsDrift(t *testing.T) {
	gate := t.TempDir()
	touch(t, gate+"/open")
	b := newBed(t, `{"image":"sample:1","pull":"never","env":{"GATE":"/gate/open"},"volume":[{"host_path":"`+gate+`","path":"/gate"}],"update":{"health_timeout":"500ms"},`+healthy+`}`)
	b.apply()
	require.False(t, b.observe().Drifted)
	require.NoError(t, os.Remove(gate+"/open"))
	found := b.observe()
	require.True(t, found.Drifted)
	require.Equal(t, "replica 1 health", found.Differences[0].Path)
	require.Contains(t, found.Differences[0].After, "503")
}

// TestImageMovesOn: the tag that moves on is no drift, but an update for who applies again.
func TestImageMovesOn(t *testing.T) {
	b := newBed(t, `{"image":"moving:1","pull":"missing"}`)
	_, err := b.docker.ImageTag(t.Context(), client.ImageTagOptions{Source: sample, Target: "moving:1"})
	require.NoError(t, err)
	before := b.apply()
	require.NoError(t, b.engine.Image(t.Context(), "moving:1", "github.com/vivarium-env/vivarium/test/servers/app"))
	require.False(t, b.observe().Drifted)
	plan := b.plan()
	require.Equal(t, event.ChangeReplace, plan.Change)
	require.Equal(t, []event.Difference{{Path: "image", Change: event.ChangeUpdate, Before: replicas.Short(before.ImageID), After: plan.Differences[0].After}}, plan.Differences)
	after := b.apply()
	require.NotEqual(t, before.ImageID, after.ImageID)
	require.True(t, strings.HasPrefix(after.ImageID, "sha256:"+plan.Differences[0].After))

	b.inputs(`{"image":"moving:1","pull":"always"}`)
	plan = b.plan()
	require.Equal(t, event.Plan{Change: event.ChangeUnknown, Until: []string{"the image is pulled"}}, plan)
}

func TestPlanOfCreateAndDestroy(t *testing.T) {
	b := newBed(t, `{"image":"sample:1","pull":"never","env":{"A":"1"},"files":{"/x":"y"},"networks":["plans"]}`)
	plan := b.plan()
	require.Equal(t, event.ChangeCreate, plan.Change)
	for _, want := range []event.Difference{
		{Path: "image", Change: event.ChangeCreate, After: "sample:1"}, {Path: "env.A", Change: event.ChangeCreate, After: "1"},
		{Path: "files./x", Change: event.ChangeCreate}, {Path: "replica 1", Change: event.ChangeCreate, After: "running"},
	} {
		require.Contains(t, plan.Differences, want)
	}
	o := b.apply()
	destroy, err := b.Plan(t.Context(), b.request, event.Destruct)
	require.NoError(t, err)
	require.Equal(t, event.Plan{Change: event.ChangeDestroy, Differences: []event.Difference{
		{Path: "container " + o.Names[0], Change: event.ChangeDestroy}}}, destroy.Plan)
}
