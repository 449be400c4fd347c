package runner

import (
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// validate runs a probe over the real network, and so on the real clock, as its task would.
func validate(t *testing.T, e event.Endpoint) error {
	t.Helper()
	r, err := New(Options{Bus: newMemoryBus(), Name: "one", Pools: []string{"p"}, WorkDir: t.TempDir(), Box: newBox(t)})
	require.NoError(t, err)
	defer func() { require.NoError(t, r.Stop(t.Context())) }()
	offered := task(func(t *event.Task) { t.Verb, t.Endpoint, t.Inputs = event.Validate, &e, json.RawMessage(`{}`) })
	j, _, _ := r.register(&offered, event.Envelope{})
	defer r.release(j)
	w, err := r.open(j)
	require.NoError(t, err)
	defer w.lines.close()
	_, err = w.do(t.Context())
	return err
}

func TestProbe(t *testing.T) {
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/later" && asked.Add(1) < 4:
			w.WriteHeader(http.StatusServiceUnavailable)
		case r.URL.Path == "/moved":
			http.Redirect(w, r, "/", http.StatusFound)
		case r.URL.Path == "/routed" && r.Host != "notes.example.test":
			w.WriteHeader(http.StatusNotFound)
		case r.URL.Path == "/teapot":
			w.WriteHeader(http.StatusTeapot)
		}
	}))
	defer server.Close()
	secure := httptest.NewTLSServer(server.Config.Handler) // whose certificate is for 127.0.0.1 and example.com
	defer secure.Close()
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // of those who do not trust it
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw}))
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	nobody := gone.Addr().String()
	require.NoError(t, gone.Close())
	open := server.Listener.Addr().String()

	long, short := time.Minute, 50*time.Millisecond
	handshake := 3 * time.Second // which takes its time on a busy machine
	for name, c := range map[string]struct {
		endpoint event.Endpoint
		code     fault.Code
		text     string
	}{
		"at once":                 {endpoint: event.Endpoint{URL: server.URL, Timeout: long}},
		"after a while":           {endpoint: event.Endpoint{URL: server.URL + "/later", Timeout: long}},
		"follows":                 {endpoint: event.Endpoint{URL: server.URL + "/moved", Timeout: long}},
		"redirect expected":       {endpoint: event.Endpoint{URL: server.URL + "/moved", Status: 302, Timeout: long}},
		"status expected":         {endpoint: event.Endpoint{URL: server.URL + "/teapot", Status: 418, Timeout: long}},
		"another host":            {endpoint: event.Endpoint{URL: server.URL + "/routed", Host: "notes.example.test", Timeout: long}},
		"tcp":                     {endpoint: event.Endpoint{URL: "tcp://" + open, Timeout: long}},
		"an authority of its own": {endpoint: event.Endpoint{URL: secure.URL, CA: ca, Timeout: long}},
		"that and a name":         {endpoint: event.Endpoint{URL: secure.URL, Host: "example.com", CA: ca, Timeout: long}},
		"an authority that nobody knows": {event.Endpoint{URL: secure.URL, Timeout: handshake},
			fault.ValidationFailed, "unknown authority"},
		"a name that is not its": {event.Endpoint{URL: secure.URL, Host: "other.example.test", CA: ca, Timeout: handshake},
			fault.ValidationFailed, "not other.example.test"},
		"wrong status": {event.Endpoint{URL: server.URL + "/teapot?token=hunter2", Timeout: short},
			fault.ValidationFailed, "last: status 418, expected 200 to 299"},
		"no such host": {event.Endpoint{URL: server.URL + "/routed", Host: "other.example.test", Timeout: short},
			fault.ValidationFailed, "other.example.test at " + server.URL + "/routed did not answer as expected"},
		"another status": {event.Endpoint{URL: server.URL, Status: 204, Timeout: short},
			fault.ValidationFailed, "last: status 200, expected 204"},
		"nobody answers":    {event.Endpoint{URL: "http://" + nobody, Timeout: short}, fault.ValidationFailed, "refused"},
		"nobody listens":    {event.Endpoint{URL: "tcp://" + nobody, Timeout: short}, fault.ValidationFailed, "refused"},
		"no port":           {event.Endpoint{URL: "tcp://x"}, fault.Invalid, "no port"},
		"unknown scheme":    {event.Endpoint{URL: "ftp://x"}, fault.Invalid, "http://"},
		"no address at all": {event.Endpoint{URL: ":"}, fault.Invalid, "http://"},
	} {
		t.Run(name, func(t *testing.T) {
			c.endpoint.Interval = time.Millisecond
			err := validate(t, c.endpoint)
			if c.code == "" {
				require.NoError(t, err)
				return
			}
			require.True(t, fault.Is(err, c.code), "%v", err)
			require.ErrorContains(t, err, c.text)
			require.NotContains(t, err.Error(), "hunter2")
		})
	}
	require.Equal(t, int64(4), asked.Load())
}

func TestAProbeEndsWithItsTask(t *testing.T) {
	inBubble(t, funcs{}, func(t *testing.T, g *rig) {
		// There is no such port, so that no network is needed within the bubble.
		g.offer(task(func(t *event.Task) {
			t.Verb, t.Executor, t.Endpoint = event.Validate, "", &event.Endpoint{URL: "tcp://127.0.0.1:99999"}
		}))
		g.pass(10 * time.Second)
		require.Empty(t, g.results())
		require.Len(t, g.lines(), 1, "what it sees is logged when it changes")
		g.tell(event.TaskCancel, event.CancelTask{TaskRef: task().TaskRef})
		require.Equal(t, fault.Cancelled, g.result().Error.Code)
	})
}
