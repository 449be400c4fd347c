package docker

import (
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/moby/moby/client"
	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor/container"
	"github.com/vivarium-env/vivarium/test/ports"
)

const healthy = `"health":{"http":{"path":"/health","port":8080},"interval":"100ms"}`

func ask(url string) (string, error) {
	c := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := c.Get(url)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return string(text), err
}

// TestOneReplicaKeepsServing while it is replaced: at every moment somebody answers.
func TestOneReplicaKeepsServing(t *testing.T) {
	b := newBed(t, `{"image":"sample:1","pull":"never","env":{"VERSION":"v1"},`+healthy+`}`)
	b.apply()
	asked, silent := b.polled(func() {
		for _, version := range []string{"v2", "v3"} {
			b.inputs(`{"image":"sample:1","pull":"never","env":{"VERSION":%q},%s}`, version, healthy)
			b.apply()
		}
	})
	require.Positive(t, asked)
	require.Zero(t, silent, "of %d", asked)
}

// polled counts how often somebody asked while the work was done, and how often nobody answered.
func (b *bed) polled(work func()) (asked, silent int) {
	ctx, cancel := context.WithCancel(b.Context())
	var polling sync.WaitGroup
	polling.Go(func() {
		for ctx.Err() == nil {
			asked++
			if !b.served() {
				silent++
			}
		}
	})
	work()
	cancel()
	polling.Wait()
	return asked, silent
}

func TestRollingReplace(t *testing.T) {
	b := newBed(t, `{"image":"sample:1","pull":"never","replicas":2,"env":{"VERSION":"v1"},`+healthy+`}`)
	first := b.apply()
	require.Len(t, first.Names, 2)
	require.Len(t, first.Addresses, 2)

	b.inputs(`{"image":"sample:1","pull":"never","replicas":2,"env":{"VERSION":"v2"},%s}`, healthy)
	require.Equal(t, event.ChangeReplace, b.plan().Change)
	var second outputs
	asked, silent := b.polled(func() { second = b.apply() })
	require.Positive(t, asked)
	require.Zero(t, silent, "of %d", asked)
	require.NotContains(t, second.Names, first.Names[0])
	require.Len(t, b.containers(), 2, "the old ones are gone")
	for _, address := range second.Addresses {
		text, err := ask("http://" + net.JoinHostPort(address, "8080") + "/")
		require.NoError(t, err)
		require.Equal(t, "v2", text)
	}
	require.Equal(t, event.ChangeNone, b.plan().Change)

	b.inputs(`{"image":"sample:1","pull":"never","replicas":1,"env":{"VERSION":"v2"},%s}`, healthy)
	require.Equal(t, event.Plan{Change: event.ChangeUpdate, Differences: []event.Difference{
		{Path: "replica 2", Change: event.ChangeDestroy, Before: "running"}}}, b.plan())
	third := b.apply()
	require.Equal(t, second.Names[:1], third.Names, "the other was not touched")
}

// served tells whether a replica answers, as a proxy would find out that looks at the engine and then at one replica after the
// other; it may look a second time, since what it knows may be old.
func (b *bed) served() bool {
	for range 2 {
		listed, err := b.docker.ContainerList(context.Background(), client.ContainerListOptions{
			Filters: client.Filters{}.Add("label", "vivarium.environment="+b.request.Environment)})
		if err != nil {
			return false
		}
		for _, c := range listed.Items {
			for _, n := range c.NetworkSettings.Networks {
				if _, err := ask("http://" + net.JoinHostPort(n.IPAddress.String(), "8080") + "/health"); n.IPAddress.IsValid() && err == nil {
					return true
				}
			}
		}
	}
	return false
}

// TestReturnsToTheOldOne when the new one does not get healthy, whether both can run at once or not.
func TestReturnsToTheOldOne(t *testing.T) {
	for name, extra := range map[string]string{
		"start first": ``,
		"stop first":  `"update":{"order":"stop_first","health_timeout":"1s"},`,
		"host port":   `"port":[{"container":8080,"host":` + strconv.Itoa(freePort(t)) + `}],`,
	} {
		t.Run(name, func(t *testing.T) {
			b := lonely(t, `{"image":"sample:1","pull":"never","env":{"VERSION":"v1"},`+extra+healthy+`}`)
			b.request.Environment = "returns-" + strconv.Itoa(len(extra))
			first := b.apply()
			timeout := `"update":{"health_timeout":"1s"},`
			if name == "stop first" {
				timeout = ""
			}
			b.inputs(`{"image":"sample:1","pull":"never","env":{"VERSION":"v2","UNHEALTHY":"no database","COMPLAIN":"can't find it"},%s%s%s}`, extra, timeout, healthy)
			f := b.fails(container.Unhealthy, "no database", "503", "can't find it", "is not healthy")
			require.NotContains(t, f.Message, "v1")
			require.Equal(t, first.Names, b.containers(), "the new one is gone")
			eventually(t, func() bool {
				f, _, err := must(b.begin(t.Context(), b.request)).inspect(t.Context(), first.Names[0])
				require.NoError(t, err)
				text, err := ask("http://" + net.JoinHostPort(f.address("bridge").String(), "8080") + "/")
				return err == nil && text == "v1"
			}, "the old one serves")
			require.Equal(t, event.ChangeReplace, b.plan().Change)
		})
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func freePort(t *testing.T) int {
	t.Helper()
	port, err := ports.One()
	require.NoError(t, err)
	return port
}
