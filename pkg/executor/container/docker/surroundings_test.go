package docker

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"

	dcontainer "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor/container"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// from asks the first replica.
func (b *bed) from(o outputs, path string) string {
	b.Helper()
	require.NotEmpty(b.T, o.Addresses)
	text, err := ask("http://" + net.JoinHostPort(o.Addresses[0], "8080") + path)
	require.NoError(b.T, err)
	return text
}

func (b *bed) there(what, name string) bool {
	b.Helper()
	var err error
	if what == "network" {
		_, err = b.docker.NetworkInspect(b.Context(), name, client.NetworkInspectOptions{})
	} else {
		_, err = b.docker.VolumeInspect(b.Context(), name, client.VolumeInspectOptions{})
	}
	return err == nil
}

// neighbour is another step of the same environment.
func (b *bed) neighbour(step string) *bed {
	other := *b
	other.request.Step, other.request.Outputs = step, nil
	b.Cleanup(func() { require.NoError(b.T, other.Destroy(context.Background(), other.request)) })
	return &other
}

func TestNetworks(t *testing.T) {
	b := newBed(t, `{"image":"sample:1","pull":"never","env":{"VERSION":"api"},"networks":["nets-back","nets-front"],`+healthy+`}`)
	b.apply()
	other := b.neighbour(`t.container.asks["x/1"]`)
	other.inputs(`{"image":"sample:1","pull":"never","networks":["nets-back"],"health":{"command":["/app","check","http://api:8080/health"],"interval":"200ms"}}`)
	other.apply() // gets healthy because it reaches the first by its name

	b.inputs(`{"image":"sample:1","pull":"never","networks":["nets-back"],%s}`, healthy)
	d := b.plan().Differences
	require.Contains(t, d, event.Difference{Path: "networks", Change: event.ChangeUpdate, Before: "nets-back, nets-front", After: "nets-back"})
	b.apply()
	require.False(t, b.there("network", "nets-front"), "nobody is in it any more")

	require.NoError(t, b.Destroy(t.Context(), b.request))
	require.True(t, b.there("network", "nets-back"), "the other is in it still")
	require.Equal(t, event.Absent, b.observe().Presence)
	require.NoError(t, other.Destroy(t.Context(), other.request))
	require.False(t, b.there("network", "nets-back"), "the last one takes it away")
}

func TestNetworkOfSomebodyElse(t *testing.T) {
	b := newBed(t, `{"image":"sample:1","pull":"never","networks":["foreign"]}`)
	made, err := b.docker.NetworkCreate(t.Context(), "foreign", client.NetworkCreateOptions{})
	require.NoError(t, err)
	b.apply()
	require.NoError(t, b.Destroy(t.Context(), b.request))
	require.True(t, b.there("network", "foreign"))
	_, err = b.docker.NetworkRemove(t.Context(), made.ID, client.NetworkRemoveOptions{})
	require.NoError(t, err)
}

func TestVolumes(t *testing.T) {
	b := newBed(t, `{"image":"sample:1","pull":"never","volume":[{"name":"vols-data","path":"/data/"},{"name":"vols-kept","path":"/kept","keep":true}]}`)
	b.apply()
	require.False(t, b.observe().Drifted)
	other := b.neighbour("t.container.other")
	other.inputs(`{"image":"sample:1","pull":"never","volume":[{"name":"vols-data","path":"/in","read_only":true}]}`)
	other.apply()
	require.NoError(t, b.Destroy(t.Context(), b.request))
	require.True(t, b.there("volume", "vols-data"), "the other uses it still")
	require.NoError(t, other.Destroy(t.Context(), other.request))
	require.False(t, b.there("volume", "vols-data"))
	require.True(t, b.there("volume", "vols-kept"))

	b.inputs(`{"image":"sample:1","pull":"never","volume":[{"name":"vols-kept","path":"/kept"}]}`)
	b.apply()
	require.NoError(t, b.Destroy(t.Context(), b.request))
	require.False(t, b.there("volume", "vols-kept"), "the block says so no more")
}

func TestVolumeOfSomebodyElse(t *testing.T) {
	b := newBed(t, `{"image":"sample:1","pull":"never","volume":[{"name":"vols-foreign","path":"/data"}]}`)
	_, err := b.docker.VolumeCreate(t.Context(), client.VolumeCreateOptions{Name: "vols-foreign"})
	require.NoError(t, err)
	b.apply()
	require.NoError(t, b.Destroy(t.Context(), b.request))
	require.True(t, b.there("volume", "vols-foreign"))
	_, err = b.docker.VolumeRemove(t.Context(), "vols-foreign", client.VolumeRemoveOptions{})
	require.NoError(t, err)
}

// TestProof: what is there is named, and what somebody else uses is not.
func TestProof(t *testing.T) {
	b := newBed(t, `{"image":"sample:1","pull":"never","networks":["proof"]}`)
	b.apply()
	w, err := b.begin(t.Context(), b.request)
	require.NoError(t, err)
	err = w.prove(t.Context())
	require.True(t, fault.Is(err, fault.OrphanSuspected), "%v", err)
	require.Contains(t, err.Error(), b.containers()[0])
	require.NotContains(t, err.Error(), "network proof", "it is in use, and goes with who uses it")
	require.NoError(t, b.Destroy(t.Context(), b.request))
	require.NoError(t, w.prove(t.Context()))
}

// TestFiles are read by a user who is nobody, out of folders that were there and that were not.
func TestFiles(t *testing.T) {
	b := newBed(t, `{"image":"sample:1","pull":"never","user":"12345","workdir":"/etc/app","files":{"/etc/app/deep/a.txt":"one","/tmp/b.txt":"two"},`+healthy+`}`)
	o := b.apply()
	require.Equal(t, "one", b.from(o, "/file?path="+url.QueryEscape("/etc/app/deep/a.txt")))
	require.Equal(t, "two", b.from(o, "/file?path=/tmp/b.txt"))
	b.inputs(`{"image":"sample:1","pull":"never","user":"12345","workdir":"/etc/app","files":{"/etc/app/deep/a.txt":"other","/c":""},%s}`, healthy)
	require.Equal(t, []event.Difference{
		{Path: "files./c", Change: event.ChangeCreate},
		{Path: "files./etc/app/deep/a.txt", Change: event.ChangeUpdate},
		{Path: "files./tmp/b.txt", Change: event.ChangeDestroy},
	}, b.plan().Differences)
	require.Equal(t, "other", b.from(b.apply(), "/file?path="+url.QueryEscape("/etc/app/deep/a.txt")))
}

// TestSecretsAreNowhere but where the program in the container needs them.
func TestSecretsAreNowhere(t *testing.T) {
	const secret, newer = "hunter2-hunter2", "correct-horse-9"
	inputs := `{"image":"sample:1","pull":"never","env":{"PASSWORD":%q,"UNHEALTHY":%q},"files":{"/password":%q},"update":{"health_timeout":"300ms"},` + healthy + `}`
	b := newBed(t, `{"image":"sample:1"}`)
	b.request.Secrets = []string{secret}
	b.inputs(strings.Replace(inputs, "%q", `"`+secret+`"`, 1), "", secret)
	o := b.apply()
	require.Equal(t, secret, b.from(o, "/env?name=PASSWORD"))
	require.Equal(t, secret, b.from(o, "/file?path=/password"))
	w, err := b.begin(t.Context(), b.request)
	require.NoError(t, err)
	found, _, err := w.inspect(t.Context(), o.Names[0])
	require.NoError(t, err)
	for name, value := range found.Config.Labels {
		require.NotContains(t, value, secret, name)
	}
	require.NotContains(t, found.Name, secret)

	// Another password: neither it nor the one before is shown, though the request no longer says that that was one.
	b.request.Secrets = []string{newer}
	b.inputs(strings.Replace(inputs, "%q", `"`+newer+`"`, 1), newer+" is wrong", newer)
	d := b.plan().Differences
	require.Contains(t, d, event.Difference{Path: "env.PASSWORD", Change: event.ChangeUpdate, Before: "(sensitive)", After: "(sensitive)", Sensitive: true})
	require.Contains(t, d, event.Difference{Path: "files./password", Change: event.ChangeUpdate, Sensitive: true})
	f := b.fails(container.Unhealthy, "(sensitive) is wrong")
	require.NotContains(t, f.Error(), newer)
	b.inputs(`{"image":"sample:1","pull":"never"}`)
	for _, d := range append(b.plan().Differences, b.observe().Differences...) {
		require.NotContains(t, d.Before+d.After+d.Path, secret)
	}
	for _, line := range b.log.Take() {
		require.NotContains(t, line, newer)
	}
}

// TestOthersAreLeftAlone: what belongs to another step of the environment stays.
func TestOthersAreLeftAlone(t *testing.T) {
	b := newBed(t, `{"image":"sample:1","pull":"never"}`)
	foreign, err := b.docker.ContainerCreate(t.Context(), client.ContainerCreateOptions{Name: "others-own", Config: &dcontainer.Config{
		Image: sample, Labels: map[string]string{"vivarium.environment": b.request.Environment, "vivarium.step": "t.container.another"}}})
	require.NoError(t, err)
	b.apply()
	require.NoError(t, b.Destroy(t.Context(), b.request))
	_, err = b.docker.ContainerInspect(t.Context(), foreign.ID, client.ContainerInspectOptions{})
	require.NoError(t, err)
	_, err = b.docker.ContainerRemove(t.Context(), foreign.ID, client.ContainerRemoveOptions{Force: true})
	require.NoError(t, err)
}

// TestNetworkMadeTwiceAtOnce: the engine lets two runners make two networks of one name; one is left.
func TestNetworkMadeTwiceAtOnce(t *testing.T) {
	first := newBed(t, `{"image":"sample:1","pull":"never","networks":["at-once"]}`)
	beds := []*bed{first}
	for i := range 3 {
		other := first.neighbour(fmt.Sprint("t.container.other", i))
		other.Executor = New(Options{Host: first.engine.Host(), Key: box}) // of a runner of its own
		t.Cleanup(func() { require.NoError(t, other.Close()) })
		beds = append(beds, other)
	}
	var wg sync.WaitGroup
	errs := make([]error, len(beds))
	for i, b := range beds {
		wg.Go(func() {
			for range 3 { // as the kind's policy of retries does
				if _, errs[i] = b.Apply(t.Context(), b.request); errs[i] == nil || fault.From(errs[i]).Disposition != fault.Retry {
					return
				}
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	w, err := first.begin(t.Context(), first.request)
	require.NoError(t, err)
	there, err := w.networks(t.Context(), client.Filters{}.Add("name", "at-once"), "at-once")
	require.NoError(t, err)
	require.Len(t, there, 1)
	in, err := first.docker.ContainerList(t.Context(), client.ContainerListOptions{Filters: client.Filters{}.Add("network", there[0].ID)})
	require.NoError(t, err)
	require.Len(t, in.Items, len(beds), "and all are in it")
	for _, b := range beds {
		require.NoError(t, b.Destroy(t.Context(), b.request))
	}
	require.False(t, first.there("network", "at-once"))
}
