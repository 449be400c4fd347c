package vault_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/executor/vault"
	"github.com/vivarium-env/vivarium/pkg/fault"
)

// proxy stands between an executor and the real Vault.
type proxy struct {
	*httptest.Server
	mu sync.Mutex
	// before is asked ahead of every request, after is told behind it; an error cuts the connection.
	before, after func(n int, r *http.Request) error
	n             int
}

func newProxy(t *testing.T, v real) *proxy {
	t.Helper()
	u, err := url.Parse(v.Vault.Address())
	require.NoError(t, err)
	transport := &http.Transport{}
	forward := &httputil.ReverseProxy{Transport: transport, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(u) }}
	p := &proxy{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.n++
		p.ask(p.before, r)
		answer := httptest.NewRecorder()
		forward.ServeHTTP(answer, r)
		p.ask(p.after, r)
		for k, values := range answer.Header() {
			w.Header()[k] = values
		}
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	}))
	t.Cleanup(func() { p.Close(); transport.CloseIdleConnections() })
	return p
}

// from counts requests anew from now on, of which hook cuts one, ahead of it or late; nil cuts none.
func (p *proxy) from(hook func(int, *http.Request) error, late bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.n, p.before, p.after = 0, hook, nil
	if late {
		p.before, p.after = nil, hook
	}
}

func (p *proxy) ask(hook func(int, *http.Request) error, r *http.Request) {
	if hook != nil && hook(p.n, r) != nil {
		panic(http.ErrAbortHandler)
	}
}

// through is a step whose executor reaches Vault by the proxy.
func (p *proxy) through(t *testing.T, v real, name, inputs string) *step {
	t.Helper()
	return newStep(kind(t, connect(t, vault.Options{Address: p.URL, Token: v.RootToken()}), name), inputs)
}

// TestCutOffAnywhere cuts the connection before and after every single request of an apply, a change and a destroy: in each round one request of each of
// these calls, after which the call is made again. What follows always ends right, and leaves nothing behind.
func TestCutOffAnywhere(t *testing.T) {
	v := realVault(t)
	for name, inputs := range map[string][2]string{
		vault.SecretName:  {`{"path":"PATH","generate":{"a":{}}}`, `{"path":"PATH/moved","data":{"b":"c"},"generate":{"a":{"rotate":"2"}}}`},
		vault.PolicyName:  {`{"name":"PATH","rules":""}`, `{"name":"PATH-moved","rules":"# more"}`},
		vault.AppRoleName: {`{"role_name":"PATH","store":"PATH"}`, `{"role_name":"PATH-moved","policies":["p"],"store":"PATH/moved","rotate":"2"}`},
		vault.PKIName:     {`{"role":"web","common_name":"a","store":"PATH"}`, `{"role":"web","common_name":"b","store":"PATH/moved"}`},
	} {
		t.Run(name, func(t *testing.T) {
			for at, ended := 1, false; !ended; at++ {
				for _, late := range []bool{false, true} {
					path := fmt.Sprintf("cut-%d-%d-%t", number(name), at, late)
					ended = cutOff(t, v, name, replaced(inputs[0], path), replaced(inputs[1], path), at, late)
				}
			}
		})
	}
}

// cutOff cuts one request of each call; ended is that all had fewer.
func cutOff(t *testing.T, v real, name, first, second string, at int, late bool) (ended bool) {
	p := newProxy(t, v)
	cut := 0
	hook := func(n int, r *http.Request) error {
		if n != at {
			return nil
		}
		cut++
		return fmt.Errorf("%s %s is cut", r.Method, r.URL.Path)
	}
	s := p.through(t, v, name, first)
	again := func(t *testing.T, work func() error) {
		t.Helper()
		p.from(hook, late)
		err := work()
		p.from(nil, late)
		if err != nil {
			requireFault(t, err, fault.Unavailable, fault.Wait, "does not answer")
			require.NoError(t, work())
		}
	}
	for _, inputs := range []string{first, second} {
		s.Inputs = []byte(inputs)
		again(t, func() error { _, err := s.Apply(t.Context(), s.Request); return err })
		var outputs executor.Outputs
		again(t, func() (err error) { outputs, err = s.Apply(t.Context(), s.Request); return err })
		again(t, func() error {
			same, err := s.Apply(t.Context(), s.Request)
			if err == nil {
				require.Equal(t, outputs, same, "request %d, late %t", at, late)
			}
			return err
		})
		s.remember(t, outputs)
		again(t, func() error {
			found, err := s.Observe(t.Context(), s.Request)
			if err == nil {
				require.Equal(t, event.Observation{Presence: event.Present}, found)
			}
			return err
		})
	}
	again(t, func() error { return s.Destroy(t.Context(), s.Request) })
	again(t, func() error { return s.Destroy(t.Context(), s.Request) })
	nothingLeft(t, v)
	return cut == 0
}

// nothingLeft looks for what no observation of the last inputs would see: earlier places, policies and roles.
func nothingLeft(t *testing.T, v real) {
	t.Helper()
	for _, path := range []string{"secret/metadata/", "sys/policies/acl", "auth/approle/role"} {
		list, err := v.Logical().ListWithContext(t.Context(), path)
		require.NoError(t, err)
		if list == nil {
			continue
		}
		for _, key := range list.Data["keys"].([]any) {
			require.NotContains(t, key, "cut-", "%s has %s", path, key)
		}
	}
}

func TestAnotherWriterBetweenReadAndWrite(t *testing.T) {
	v, path := realVault(t), unique(t)
	p := newProxy(t, v)
	once := true
	p.before = func(_ int, r *http.Request) error {
		if once && r.URL.Path == "/v1/secret/data/"+path && r.Method == http.MethodPut {
			once = false
			v.put(t, "secret/data/"+path, map[string]any{"data": map[string]any{"k": "theirs"}})
		}
		return nil
	}
	s := p.through(t, v, vault.SecretName, secretInputs(path, `"data":{"k":"ours"}`))
	_, err := s.Apply(t.Context(), s.Request)
	requireFault(t, err, fault.Conflict, fault.Retry, path)
	require.Equal(t, map[string]any{"k": "theirs"}, v.values(t, path))
	require.EqualValues(t, 2, s.apply(t)["version"])
}

func TestAnotherClaimBetweenReadAndWrite(t *testing.T) {
	v, path := realVault(t), unique(t)
	p := newProxy(t, v)
	p.after = func(_ int, r *http.Request) error {
		if r.URL.Path == "/v1/secret/metadata/"+path && r.Method == http.MethodPut {
			v.put(t, "secret/metadata/"+path, map[string]any{"custom_metadata": map[string]string{"vivarium": "other/one"}})
		}
		return nil
	}
	s := p.through(t, v, vault.SecretName, secretInputs(path, `"data":{"k":"ours"}`))
	_, err := s.Apply(t.Context(), s.Request)
	requireFault(t, err, fault.Exists, fault.GiveUp, "other/one")
	require.Nil(t, v.get(t, "secret/data/"+path), "nothing was written into it")
}
