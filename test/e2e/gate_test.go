package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/consul/api"
	"github.com/stretchr/testify/require"
)

// gate stands before a real Consul and keeps the ledger of what is changed there. It can keep one answer back, so that whoever asked can be
// killed when what he asked for is done, and before he knows.
type gate struct {
	*httptest.Server
	mu      sync.Mutex
	wanted  func(asked) bool
	reached chan struct{}
	changed int
}

// asked is a request: how many keys it changed, and its path.
type asked struct {
	path  string
	reads bool
	keys  int
}

func newGate(t *testing.T, address string) *gate {
	t.Helper()
	to, err := url.Parse("http://" + strings.TrimPrefix(address, "http://"))
	require.NoError(t, err)
	g := &gate{}
	proxy := httputil.NewSingleHostReverseProxy(to)
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		answer := httptest.NewRecorder()
		if r.URL.Path == "/health" { // of what the environment is validated by; Consul has no part in that
			answer.WriteHeader(http.StatusOK)
		} else {
			proxy.ServeHTTP(answer, r)
		}
		if g.keeps(count(r, body, answer)) {
			<-r.Context().Done()
			return
		}
		for name, values := range answer.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	}))
	t.Cleanup(g.Close)
	return g
}

// count tells what a request has done.
func count(r *http.Request, body []byte, answer *httptest.ResponseRecorder) asked {
	a := asked{path: r.URL.Path, reads: true}
	switch {
	case answer.Code != http.StatusOK:
	case r.URL.Path == "/v1/txn":
		var ops []struct{ KV struct{ Verb string } }
		_ = json.Unmarshal(body, &ops)
		for _, op := range ops {
			if op.KV.Verb == string(api.KVCAS) || op.KV.Verb == string(api.KVDeleteCAS) {
				a.keys++
			}
		}
	case r.Method != http.MethodGet && strings.TrimSpace(answer.Body.String()) == "true":
		a.keys++
	}
	a.reads = a.keys == 0
	return a
}

func (g *gate) keeps(a asked) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.changed += a.keys
	if g.wanted == nil || !g.wanted(a) {
		return false
	}
	g.wanted = nil
	close(g.reached)
	return true
}

// hold keeps the answer to the first request back that is wanted; the channel is closed when it has come. The ledger begins anew.
func (g *gate) hold(wanted func(asked) bool) <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.changed, g.wanted, g.reached = 0, wanted, make(chan struct{})
	return g.reached
}

func (g *gate) ledger() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.changed
}

func changes(a asked) bool   { return a.keys > 0 }
func looks(a asked) bool     { return a.reads && strings.HasPrefix(a.path, "/v1/") }
func validates(a asked) bool { return a.path == "/health" }
