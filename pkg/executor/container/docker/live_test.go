package docker

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/moby/moby/client"
	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/executortest"
)

func TestUsage(t *testing.T) {
	b := newBed(t, `{"image":"sample:1","pull":"never","replicas":2,"limits":{"memory":"64Mi"},`+healthy+`}`)
	none, err := b.Usage(t.Context(), b.request)
	require.NoError(t, err)
	require.Empty(t, none.Replicas)
	o := b.apply()
	for range 100 {
		b.from(o, "/")
	}
	got, err := b.Usage(t.Context(), b.request)
	require.NoError(t, err)
	require.Len(t, got.Replicas, 2)
	require.False(t, got.Time.IsZero())
	for i, r := range got.Replicas {
		require.Equal(t, o.Names[i], r.Name)
		require.Equal(t, "running", r.State)
		require.Equal(t, int64(64<<20), r.MemoryLimit)
		require.Positive(t, r.Memory)
		require.Less(t, r.Memory, r.MemoryLimit)
		require.GreaterOrEqual(t, r.CPU, 0.0)
	}
	require.Positive(t, got.Replicas[0].NetworkReceived)
	require.Positive(t, got.Replicas[0].NetworkSent)
}

// TestRestart needs to know of the step no more than whose it is.
func TestRestart(t *testing.T) {
	b := newBed(t, `{"image":"sample:1","pull":"never","replicas":2,`+healthy+`}`)
	o := b.apply()
	started := func() (all []string) {
		for _, name := range o.Names {
			c, err := b.docker.ContainerInspect(t.Context(), name, client.ContainerInspectOptions{})
			require.NoError(t, err)
			all = append(all, c.Container.State.StartedAt)
		}
		return all
	}
	was, known := started(), b.request
	known.Inputs = nil
	require.NoError(t, b.Restart(t.Context(), known))
	for i, at := range started() {
		require.NotEqual(t, was[i], at)
	}
	eventually(t, func() bool { return !b.observe().Drifted })
	require.Equal(t, o.Names, b.apply().Names)

	require.NoError(t, b.Destroy(t.Context(), b.request))
	require.NoError(t, b.Restart(t.Context(), known), "nothing is there")
}

// TestFollow: what was printed before, what is printed meanwhile, what comes after a restart and from a new replica, each once.
func TestFollow(t *testing.T) {
	b := newBed(t, `{"image":"sample:1","pull":"never","env":{"COMPLAIN":"a complaint"},`+healthy+`}`)
	o := b.apply()
	log := &executortest.Log{}
	var streams, times sync.Map
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- b.Follow(ctx, b.request, time.Time{}, func(at time.Time, stream, line string) {
			times.Store(line, at)
			streams.Store(line, stream)
			log.Add(stream, line)
		})
	}()
	count := func(line string) func() bool { return func() bool { return log.Has(line) } }
	eventually(t, count("serving on port 8080"))
	say := func(o outputs, text string) { b.from(o, "/say?text="+url.QueryEscape(text)) }
	for i := range 5 {
		say(o, fmt.Sprint("line ", i))
	}
	eventually(t, count("line 4"))
	_, _ = ask("http://" + net.JoinHostPort(o.Addresses[0], "8080") + "/exit?code=1") // and Docker starts it again
	var again outputs
	eventually(t, func() bool {
		again = b.apply()
		_, err := ask("http://" + net.JoinHostPort(again.Addresses[0], "8080") + "/")
		return err == nil
	})
	say(again, "after the restart")
	eventually(t, count("after the restart"))
	b.inputs(`{"image":"sample:1","pull":"never","env":{"SAY":"the new one"},%s}`, healthy)
	b.apply()
	eventually(t, count("the new one"))
	cancel()
	require.NoError(t, <-done)
	lines := log.Take()
	for i := range 5 {
		n := 0
		for _, line := range lines {
			if line == fmt.Sprint("line ", i) {
				n++
			}
		}
		require.Equal(t, 1, n, "%q", lines)
	}
	stream, _ := streams.Load("a complaint")
	require.Equal(t, "err", stream)
	before, _ := times.Load("line 0")
	after, _ := times.Load("after the restart")
	require.True(t, before.(time.Time).Before(after.(time.Time)), "%s, %s", before, after)

	// From a time on, nothing that was before it.
	late := &executortest.Log{}
	ctx, cancel = context.WithCancel(t.Context())
	go func() {
		done <- b.Follow(ctx, b.request, time.Now(), func(_ time.Time, stream, line string) { late.Add(stream, line) })
	}()
	o = b.apply()
	eventually(t, func() bool { say(o, "late"); return late.Has("late") })
	cancel()
	require.NoError(t, <-done)
	require.False(t, late.Has("the new one"))
}

func TestFollowEndsWithTheEngine(t *testing.T) {
	b := lonely(t, `{"image":"sample:1","pull":"never"}`)
	b.apply()
	log := &executortest.Log{}
	done := make(chan error, 1)
	go func() {
		done <- b.Follow(t.Context(), b.request, time.Time{}, func(_ time.Time, stream, line string) { log.Add(stream, line) })
	}()
	eventually(t, func() bool { return log.Has("serving") })
	require.NoError(t, b.engine.Kill())
	require.Error(t, <-done)
}

func TestRoutes(t *testing.T) {
	e := New(Options{Key: box})
	b := &bed{Executor: e, T: t, request: executor.Request{}}
	b.request.Environment, b.request.Step = "Notes", `t.container.api["eu"]`
	b.inputs(`{"image":"x","networks":["back"],"expose":[{"host":"notes.example.test","port":8080,"tls":true},{"host":"notes.example.test","path":"/api","port":9090}],
		"labels":{"traefik.http.routers.mine.rule":"x"},%s}`, healthy)
	w, err := e.begin(t.Context(), b.request)
	require.NoError(t, err)
	labels := w.labels(1)
	id := w.routeID()
	require.Regexp(t, `^notes-api-eu-[0-9a-f]{8}$`, id)
	for name, want := range map[string]string{
		"traefik.enable": "true", "traefik.docker.network": "back", "traefik.http.routers.mine.rule": "x",
		"traefik.http.routers." + id + "-0.rule":                           "Host(`notes.example.test`)",
		"traefik.http.routers." + id + "-0.tls":                            "true",
		"traefik.http.routers." + id + "-1.rule":                           "Host(`notes.example.test`) && PathPrefix(`/api`)",
		"traefik.http.routers." + id + "-1.service":                        id + "-1",
		"traefik.http.services." + id + "-1.loadbalancer.server.port":      "9090",
		"traefik.http.services." + id + "-0.loadbalancer.healthcheck.path": "/health",
		"traefik.http.middlewares." + id + "-retry.retry.attempts":         "3",
		"traefik.http.routers." + id + "-0.middlewares":                    id + "-retry",
		"vivarium.environment":                                             "Notes",
		"vivarium.step":                                                    b.request.Step,
		"vivarium.replica":                                                 "1",
	} {
		require.Equal(t, want, labels[name], name)
	}
	require.NotContains(t, labels, "traefik.http.routers."+id+"-1.tls")
	require.Equal(t, labels["traefik.enable"], w.labels(2)["traefik.enable"], "all replicas are one service")
}
