package docker

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// cutter stands between an executor and the engine, and lets so many changes pass; then it is as if the runner had been killed:
// nothing more gets through. The answer to the last change may be lost.
type cutter struct {
	socket string
	server *http.Server

	mu   sync.Mutex
	left int
	lost bool // the answer to the last change that passes
}

func newCutter(t *testing.T, engine string) *cutter {
	t.Helper()
	dir, err := os.MkdirTemp("", "cut-")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	c := &cutter{socket: filepath.Join(dir, "s")}
	l, err := net.Listen("unix", c.socket)
	require.NoError(t, err)
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", engine)
	}}
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: "docker"})
	proxy.Transport = transport
	c.server = &http.Server{Handler: c.handler(proxy)} //nolint:gosec // for a test
	go func() { _ = c.server.Serve(l) }()
	t.Cleanup(func() { _ = c.server.Close() })
	return c
}

func (c *cutter) handler(engine http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		pass, answer := c.take(r.Method != http.MethodGet && r.Method != http.MethodHead)
		switch {
		case !pass:
			panic(http.ErrAbortHandler)
		case !answer:
			engine.ServeHTTP(nobody{http.Header{}}, r)
			panic(http.ErrAbortHandler)
		}
		engine.ServeHTTP(w, r)
	})
}

// take counts a change.
func (c *cutter) take(change bool) (pass, answer bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left == 0 {
		return false, false
	}
	if change {
		c.left--
	}
	return true, c.left > 0 || !c.lost || !change
}

type nobody struct{ header http.Header }

func (n nobody) Header() http.Header       { return n.header }
func (nobody) Write(p []byte) (int, error) { return len(p), nil }
func (nobody) WriteHeader(int)             {}

// TestCutOffAnywhere cuts an update off after each change that it makes at the engine; the next apply ends right every time.
func TestCutOffAnywhere(t *testing.T) {
	for order, lost := range map[string]bool{"start_first": true, "stop_first": false} {
		t.Run(order, func(t *testing.T) {
			b := newBed(t, `{"image":"sample:1"}`)
			b.request.Environment = "cut-" + order
			c := newCutter(t, b.engine.Address())
			cut := New(Options{Host: "unix://" + c.socket, Key: box})
			t.Cleanup(func() { require.NoError(t, cut.Close()) })
			version := 0
			next := func() {
				version++
				b.inputs(`{"image":"sample:1","pull":"never","stop_timeout":"1s","env":{"VERSION":"v%d"},"files":{"/f":"x"},"networks":["%s","%s-2"],"update":{"order":%q},%s}`,
					version, b.request.Environment, b.request.Environment, order, healthy)
			}
			cuts := 0
			for done := false; !done; cuts++ {
				next()
				c.mu.Lock()
				c.left, c.lost = cuts+1, lost
				c.mu.Unlock()
				_, err := cut.Apply(t.Context(), b.request)
				if done = err == nil; !done {
					require.Equal(t, fault.Unavailable, fault.From(err).Code, "%v", err)
				}
				o := b.apply()
				require.Equal(t, o.Names, b.containers(), "after %d changes", cuts+1)
				require.Equal(t, fmt.Sprint("v", version), b.from(o, "/"))
				require.Equal(t, event.Observation{Presence: event.Present}, b.observe())
			}
			require.GreaterOrEqual(t, cuts, 5, "it was cut off in every phase")
			for left := 1; ; left++ { // the destroy as well
				c.mu.Lock()
				c.left = left
				c.mu.Unlock()
				if cut.Destroy(t.Context(), b.request) == nil {
					break
				}
			}
			require.Equal(t, event.Absent, b.observe().Presence)
		})
	}
}

// TestCancelledUpdateLeavesTheOldOneRunning where it had been stopped for the new one.
func TestCancelledUpdateLeavesTheOldOneRunning(t *testing.T) {
	b := newBed(t, `{"image":"sample:1","pull":"never","env":{"VERSION":"v1"},"update":{"order":"stop_first"},`+healthy+`}`)
	first := b.apply()
	b.inputs(`{"image":"sample:1","pull":"never","env":{"VERSION":"v2","UNHEALTHY":"wait","SAY":"under way"},"update":{"order":"stop_first"},%s}`, healthy)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { _, err := b.Apply(ctx, b.request); done <- err }()
	eventually(t, func() bool { return b.log.Has("under way") })
	cancel()
	err := <-done
	require.True(t, fault.Is(err, fault.Cancelled), "%v", err)
	require.Equal(t, first.Names, b.containers())
	w, err := b.begin(t.Context(), b.request)
	require.NoError(t, err)
	f, _, err := w.inspect(t.Context(), first.Names[0])
	require.NoError(t, err)
	require.Equal(t, "running", f.Word())
}
