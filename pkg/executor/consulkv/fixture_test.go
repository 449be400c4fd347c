package consulkv

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/consul/api"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/executortest"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/test/servers"
)

func TestMain(m *testing.M) {
	code := m.Run()
	servers.StopSharedConsul()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintf(os.Stderr, "goroutines are left after the tests: %v\n", err)
			code = 1
		}
	}
	os.Exit(code)
}

// fixture is an executor, the step it works for, and a client that plays everybody else.
type fixture struct {
	*Executor
	request executor.Request
	others  *api.KV
	log     *executortest.Log
	// before, when set, is called before each request of the executor that writes.
	before func(n int, r *http.Request)
	writes atomic.Int64
}

// RoundTrip carries the executor's requests.
func (f *fixture) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPut || r.Method == http.MethodDelete {
		if n := f.writes.Add(1); f.before != nil {
			f.before(int(n), r)
		}
	}
	return http.DefaultTransport.RoundTrip(r)
}

// CloseIdleConnections is what http.Client looks for.
func (f *fixture) CloseIdleConnections() {
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
}

// newFixture has a prefix of its own, in Consul at the address or in the shared one.
func newFixture(t *testing.T, o Options) *fixture {
	t.Helper()
	if o.Address == "" {
		o.Address = servers.SharedConsul(t).Address()
	}
	f := &fixture{log: &executortest.Log{}}
	o.HTTPClient = &http.Client{Transport: f}
	f.Executor = New(o)
	t.Cleanup(f.Close)
	f.others = client(t, o.Address, "").KV()
	f.request = executor.Request{
		TaskRef: event.TaskRef{Environment: "notes", Step: "notes.consul_kv." + t.Name(), Attempt: 1}, Log: f.log.Add,
	}
	return f
}

// client is one that is not the executor's.
func client(t *testing.T, address, token string) *api.Client {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	c, err := api.NewClient(&api.Config{Address: address, Token: token, HttpClient: &http.Client{Transport: transport}})
	require.NoError(t, err)
	return c
}

// prefix is one that no other test has.
func prefix(t *testing.T) string {
	return "test/" + strings.NewReplacer(" ", "-", "#", "-").Replace(t.Name())
}

// block sets the inputs: what is given as keys below the test's prefix, and further attributes as name and value.
func (f *fixture) set(t *testing.T, keys any, more ...any) {
	t.Helper()
	inputs := map[string]any{"prefix": prefix(t), "keys": keys, "format": nil, "datacenter": nil}
	for i := 0; i < len(more); i += 2 {
		inputs[more[i].(string)] = more[i+1]
	}
	var err error
	f.request.Inputs, err = json.Marshal(inputs)
	require.NoError(t, err)
}

// apply applies and keeps the outputs for the next request, as the server does.
func (f *fixture) apply(t *testing.T) executor.Outputs {
	t.Helper()
	outputs, err := f.Apply(t.Context(), f.request)
	require.NoError(t, err)
	plain := map[string]json.RawMessage{}
	for name, o := range outputs {
		plain[name] = o.Value
	}
	f.request.Outputs, err = json.Marshal(plain)
	require.NoError(t, err)
	return outputs
}

func (f *fixture) presence(t *testing.T) event.Presence {
	t.Helper()
	p, err := f.Observe(t.Context(), f.request)
	require.NoError(t, err)
	return p.Presence
}

// there is everything below the prefix, by name.
func (f *fixture) there(t *testing.T) map[string]string {
	t.Helper()
	pairs, _, err := f.others.List(prefix(t)+"/", nil)
	require.NoError(t, err)
	found := map[string]string{}
	for _, p := range pairs {
		found[strings.TrimPrefix(p.Key, prefix(t)+"/")] = string(p.Value)
	}
	return found
}

// put writes as somebody else, who knows no flags.
func (f *fixture) put(t *testing.T, name, value string) {
	t.Helper()
	_, err := f.others.Put(&api.KVPair{Key: prefix(t) + "/" + name, Value: []byte(value)}, nil)
	require.NoError(t, err)
}

// overwrite changes a value and leaves the flags, as Consul's pages do.
func (f *fixture) overwrite(t *testing.T, name, value string) {
	t.Helper()
	pair, _, err := f.others.Get(prefix(t)+"/"+name, nil)
	require.NoError(t, err)
	require.NotNil(t, pair)
	pair.Value = []byte(value)
	_, err = f.others.Put(pair, nil)
	require.NoError(t, err)
}

// marked is a key of the step's own that no apply of its inputs wrote.
func (f *fixture) marked(t *testing.T, name string) *api.KVPair {
	return &api.KVPair{Key: prefix(t) + "/" + name, Value: []byte("1"), Flags: markOf(f.request.TaskRef)}
}

// failed is what an error says; there has to be one.
func failed(t *testing.T, err error) *fault.Error {
	t.Helper()
	require.Error(t, err)
	return fault.From(err)
}

// many are n keys in folders.
func many(n int, value string) map[string]string {
	keys := make(map[string]string, n)
	for i := range n {
		keys[fmt.Sprintf("group-%d/key-%04d", i%7, i)] = value
	}
	return keys
}

// benched is an executor with 1,000 keys to write.
func benched(b *testing.B) (*Executor, executor.Request, *api.KV) {
	b.Helper()
	address := servers.SharedConsul(b).Address()
	e := New(Options{Address: address})
	b.Cleanup(e.Close)
	c, err := api.NewClient(&api.Config{Address: address, HttpClient: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}})
	if err != nil {
		b.Fatal(err)
	}
	inputs, err := json.Marshal(map[string]any{"prefix": "bench", "keys": many(1000, strings.Repeat("v", 100))})
	if err != nil {
		b.Fatal(err)
	}
	return e, executor.Request{TaskRef: event.TaskRef{Environment: "bench", Step: "keys"}, Inputs: inputs}, c.KV()
}
