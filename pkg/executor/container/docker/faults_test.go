package docker

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	dcontainer "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor/container"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

func TestImageMissing(t *testing.T) {
	b := newBed(t, `{"image":"nobody/has-this:1","pull":"never"}`)
	f := b.fails(fault.NotFound, "nobody/has-this:1", "load the image")
	require.Equal(t, fault.GiveUp, f.Disposition)

	// There is a registry at no address of this machine.
	b.inputs(`{"image":"127.0.0.1:%d/none:1"}`, freePort(t))
	f = b.fails(fault.ExecutorFailed, "could not pull", "127.0.0.1")
	require.Equal(t, fault.Retry, f.Disposition)
	require.Empty(t, b.containers())

	b.inputs(`{"image":"NOT A NAME"}`)
	b.fails(fault.Invalid, "NOT A NAME")
}

// TestWhatNoApplyCanUseIsDestroyed: a block that is wrong keeps nobody from looking at what an earlier one has made, and from removing it.
func TestWhatNoApplyCanUseIsDestroyed(t *testing.T) {
	b := newBed(t, `{"image":"sample:1","pull":"never"}`)
	b.apply()
	for _, wrong := range []string{`{"image":"sample:1","pull":"never","health":{"http":{"port":80,"ca":"PEM"}}}`, `{"image":"sample:1","pull":"never","service_name":"notes"}`} {
		b.inputs("%s", wrong)
		b.fails(fault.Invalid)
		require.Equal(t, event.Present, b.observe().Presence)
	}
	require.NoError(t, b.Destroy(t.Context(), b.request))
	require.Equal(t, event.Absent, b.observe().Presence)
	b.inputs(`{"image":"sample:1","pull":"never"}`)
	require.Empty(t, b.containers())
}

func TestPortTaken(t *testing.T) {
	l, err := net.Listen("tcp", ":0")
	require.NoError(t, err)
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	b := lonely(t, `{"image":"sample:1","pull":"never","port":[{"container":8080,"host":`+strconv.Itoa(port)+`}]}`)
	f := b.fails(fault.Conflict, strconv.Itoa(port), "another program")
	require.Equal(t, fault.GiveUp, f.Disposition)
	require.Empty(t, b.containers(), "what could not be started is gone")
	require.NoError(t, l.Close())
	o := b.apply()
	require.Equal(t, map[string]int{"8080": port}, o.Ports)

	other := lonely(t, `{"image":"sample:1","pull":"never","port":[{"container":8080,"host":`+strconv.Itoa(port)+`}]}`)
	other.request.Step = "t.container.other"
	other.fails(fault.Conflict, strconv.Itoa(port), o.Names[0])
	require.Empty(t, other.containers())
}

func TestNeverHealthy(t *testing.T) {
	b := newBed(t, `{"image":"sample:1","pull":"never","env":{"UNHEALTHY":"no database"},"update":{"health_timeout":"1s"},"health":{"command":["/app","check","http://127.0.0.1:8080/health"],"interval":"200ms"}}`)
	f := b.fails(container.Unhealthy, "health check said", "no database", "serving on port 8080")
	require.Equal(t, fault.GiveUp, f.Disposition)
	require.Empty(t, b.containers())

	b.inputs(`{"image":"sample:1","pull":"never","env":{"COMPLAIN":"no configuration","EXIT":"3"}}`)
	b.fails(container.Unhealthy, "again and again", "code 3", "no configuration")
	require.Empty(t, b.containers())

	b.inputs(`{"image":"sample:1","pull":"never","restart":"no","env":{"EXIT":"3"}}`)
	b.fails(container.Unhealthy, "exited (code 3)")

	b.inputs(`{"image":"sample:1","pull":"never","command":["check","http://127.0.0.1:8080/health"],"entrypoint":["/nothing"]}`)
	b.fails(fault.Invalid, "/nothing")
	require.Empty(t, b.containers())
}

func TestOnceIsEnough(t *testing.T) {
	b := newBed(t, `{"image":"sample:1","pull":"never","restart":"no","env":{"EXIT":"0","SAY":"done"}}`)
	first := b.apply()
	require.Equal(t, first, b.apply(), "what has ended well is not run again")
	require.False(t, b.observe().Drifted)
	require.Equal(t, event.ChangeNone, b.plan().Change)
	require.True(t, b.log.Has("done"))
}

// TestNameTaken: a container of somebody else, and one that an attempt left behind half made.
func TestNameTaken(t *testing.T) {
	b := newBed(t, `{"image":"sample:1","pull":"never"}`)
	name := b.apply().Names[0]
	require.NoError(t, b.Destroy(t.Context(), b.request))

	foreign, err := b.docker.ContainerCreate(t.Context(), client.ContainerCreateOptions{Name: name, Config: &dcontainer.Config{Image: sample}})
	require.NoError(t, err)
	f := b.fails(fault.Exists, name, "somebody else's")
	require.Equal(t, fault.GiveUp, f.Disposition)
	require.NoError(t, b.Destroy(t.Context(), b.request), "it is not ours to remove")
	_, err = b.docker.ContainerInspect(t.Context(), foreign.ID, client.ContainerInspectOptions{})
	require.NoError(t, err)
	_, err = b.docker.ContainerRemove(t.Context(), foreign.ID, client.ContainerRemoveOptions{Force: true})
	require.NoError(t, err)

	w, err := b.begin(t.Context(), b.request)
	require.NoError(t, err)
	require.NoError(t, w.lookAtImage(t.Context()))
	_, err = w.create(t.Context(), 1) // and then the attempt was cut off
	require.NoError(t, err)
	require.Equal(t, []string{name}, b.containers())
	require.Equal(t, []string{name}, b.apply().Names)
	require.Equal(t, []string{name}, b.containers())
	require.False(t, b.observe().Drifted)
}

// TestEngineRestartedInTheMiddle: the attempt is told to wait, and the next one ends right.
func TestEngineRestartedInTheMiddle(t *testing.T) {
	gate := t.TempDir()
	b := lonely(t, `{"image":"sample:1","pull":"never","env":{"GATE":"/gate/open","SAY":"under way"},"volume":[{"host_path":"`+gate+`","path":"/gate"}],`+healthy+`}`)
	done := make(chan error, 1)
	go func() { _, err := b.Apply(t.Context(), b.request); done <- err }()
	eventually(t, func() bool { return b.log.Has("under way") })
	require.NoError(t, b.engine.Kill())
	err := <-done
	require.Equal(t, fault.Unavailable, fault.From(err).Code, "%v", err)
	require.Equal(t, fault.Wait, fault.From(err).Disposition)
	require.Contains(t, fault.From(err).Message, b.engine.Host())

	_, err = b.Observe(t.Context(), b.request)
	require.True(t, fault.Is(err, fault.Unavailable), "%v", err)
	require.True(t, fault.Is(b.Destroy(t.Context(), b.request), fault.Unavailable))

	require.NoError(t, b.engine.Start(t.Context()))
	touch(t, filepath.Join(gate, "open"))
	o := b.apply()
	require.Equal(t, o.Names, b.containers(), "one, and no more")
	require.False(t, b.observe().Drifted)
}

// TestEngineThatDoesNotAnswer holds nothing up for ever.
func TestEngineThatDoesNotAnswer(t *testing.T) {
	b := lonely(t, `{"image":"sample:1","pull":"never"}`)
	b.apply()
	b.options.Timeout = 300 * time.Millisecond
	require.NoError(t, b.engine.Pause())
	_, err := b.Apply(t.Context(), b.request)
	require.Equal(t, fault.Unavailable, fault.From(err).Code, "%v", err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = b.Apply(ctx, b.request)
	require.True(t, fault.Is(err, fault.Cancelled), "%v", err)
	require.NoError(t, b.engine.Resume())
	b.options.Timeout = time.Minute
	b.apply()
}

func touch(t *testing.T, file string) {
	t.Helper()
	require.NoError(t, os.WriteFile(file, nil, 0o600))
}

func TestNoEngine(t *testing.T) {
	for host, says := range map[string]string{
		"unix://" + t.TempDir() + "/none.sock": "none.sock",
		"tcp://somebody:password@127.0.0.1:1":  "tcp://127.0.0.1:1",
	} {
		e := New(Options{Host: host, Key: box})
		b := &bed{Executor: e, T: t}
		b.inputs(`{"image":"x"}`)
		f := b.fails(fault.Unavailable, says)
		require.Equal(t, fault.Wait, f.Disposition)
		require.NotContains(t, f.Message, "password")
		require.Contains(t, f.Message, e.Target(b.request))
		require.NoError(t, e.Close())
	}
	e := New(Options{Host: "ssh://nowhere"})
	b := &bed{Executor: e, T: t}
	b.inputs(`{"image":"x"}`)
	require.Equal(t, fault.GiveUp, b.fails(fault.ExecutorFailed, "unix:///PATH or tcp://HOST:PORT").Disposition)
}

func TestChecksThatCanNotBeMade(t *testing.T) {
	e := New(Options{Host: "tcp://docker.example.test:2376", Key: box})
	b := &bed{Executor: e, T: t}
	b.inputs(`{"image":"x",%s}`, healthy)
	w, err := e.begin(t.Context(), b.request)
	require.NoError(t, err)
	err = w.reachable(t.Context())
	require.True(t, fault.Is(err, fault.Invalid), "%v", err)
	require.True(t, strings.Contains(err.Error(), "port { container = 8080 }"))
}
