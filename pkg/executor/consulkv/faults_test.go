package consulkv

import (
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"
	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/event"
	"github.com/vivarium-env/vivarium/pkg/executor"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/test/servers"
)

// own starts a Consul that the test may break.
func own(t *testing.T, o servers.ConsulOptions) *servers.Consul {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 25*time.Minute)
	defer cancel()
	c, err := servers.StartConsul(ctx, t.TempDir(), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Kill()) })
	return c
}

func requireAway(t *testing.T, err error, target string) {
	t.Helper()
	e := failed(t, err)
	require.Equal(t, fault.Unavailable, e.Code, "%v", err)
	require.Equal(t, fault.Wait, e.Disposition)
	require.Contains(t, e.Message, target)
}

// TestConsulGoesAndComesBack in the middle of an apply: stopped, killed, frozen.
func TestConsulGoesAndComesBack(t *testing.T) {
	c := own(t, servers.ConsulOptions{})
	for name, away := range map[string]struct{ gone, back func(context.Context) error }{
		"stopped": {c.Stop, c.Start},
		"killed":  {func(context.Context) error { return c.Kill() }, c.Start},
		"frozen":  {func(context.Context) error { return c.Pause() }, func(context.Context) error { return c.Resume() }},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, Options{Address: c.Address(), Timeout: 2 * time.Second})
			f.set(t, many(200, "value"))
			f.before = func(n int, _ *http.Request) {
				if n == 3 {
					require.NoError(t, away.gone(t.Context()))
				}
			}
			_, err := f.Apply(t.Context(), f.request)
			requireAway(t, err, c.Address())
			_, err = f.Observe(t.Context(), f.request)
			requireAway(t, err, c.Address())
			requireAway(t, f.Destroy(t.Context(), f.request), c.Address())
			f.CloseIdleConnections()

			require.NoError(t, away.back(t.Context()))
			f.before = nil
			require.Equal(t, event.Present, f.presence(t), "a part was written")
			f.apply(t)
			require.Equal(t, many(200, "value"), f.there(t))
			require.NoError(t, f.Destroy(t.Context(), f.request))
			require.Equal(t, event.Absent, f.presence(t))
			require.Empty(t, f.there(t))
		})
	}
}

func TestConsulWithoutALeaderIsWaitedFor(t *testing.T) {
	c := own(t, servers.ConsulOptions{Expect: 3})
	f := newFixture(t, Options{Address: c.Address()})
	f.set(t, map[string]string{"a": "1"})
	for _, ask := range []func() error{
		func() error { _, err := f.Apply(t.Context(), f.request); return err },
		func() error { _, err := f.Plan(t.Context(), f.request, event.Apply); return err },
	} {
		// Consul itself waits for a leader before it says that there is none, so on a busy machine the request may end first.
		require.Eventually(t, func() bool {
			err := ask()
			requireAway(t, err, c.Address())
			return strings.Contains(failed(t, err).Message, "leader")
		}, 2*time.Minute, time.Millisecond)
	}
}

const management = "5ec7ab1e-0000-4000-8000-000000000001"

// token makes one with the rules.
func token(t *testing.T, c *api.Client, rules string) string {
	t.Helper()
	policy, _, err := c.ACL().PolicyCreate(&api.ACLPolicy{Name: strings.ReplaceAll(t.Name(), "/", "-"), Rules: rules}, nil)
	require.NoError(t, err)
	made, _, err := c.ACL().TokenCreate(&api.ACLToken{Policies: []*api.ACLLink{{ID: policy.ID}}}, nil)
	require.NoError(t, err)
	return made.SecretID
}

// TestWhatTheTokenLacksIsSaid, and what can't be seen is not said to be absent.
func TestWhatTheTokenLacksIsSaid(t *testing.T) {
	c := own(t, servers.ConsulOptions{ManagementToken: management})
	boss := client(t, c.Address(), management)
	for name, may := range map[string]struct {
		rules          string
		apply, destroy string // what the message has; "" when it succeeds
	}{
		"no rules":     {rules: ``, apply: "write", destroy: "read"},
		"only read":    {rules: `key_prefix "test/" { policy = "read" }`, apply: "write", destroy: ""},
		"other prefix": {rules: `key_prefix "other/" { policy = "write" }`, apply: "write", destroy: "read"},
		"enough":       {rules: `key_prefix "test/" { policy = "write" }`},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, Options{Address: c.Address(), Token: token(t, boss, may.rules)})
			f.set(t, many(70, "value"))
			denied(t, f, may.apply, func() error { _, err := f.Apply(t.Context(), f.request); return err }())
			denied(t, f, may.destroy, f.Destroy(t.Context(), f.request))
			_, err := f.Observe(t.Context(), f.request)
			denied(t, f, may.destroy, err)
			_, err = f.Plan(t.Context(), f.request, event.Apply)
			denied(t, f, may.destroy, err)
		})
	}
	t.Run("no token", func(t *testing.T) {
		t.Setenv("CONSUL_HTTP_TOKEN", management) // which is not the executor's to use
		f := newFixture(t, Options{Address: c.Address()})
		f.set(t, many(70, "value"))
		_, err := f.Observe(t.Context(), f.request)
		denied(t, f, "read", err)
		_, err = f.Apply(t.Context(), f.request)
		denied(t, f, "write", err)
	})
	t.Run("deleted token", func(t *testing.T) {
		f := newFixture(t, Options{Address: c.Address(), Token: "5ec7ab1e-0000-4000-8000-000000000002"})
		f.set(t, many(70, "value"))
		_, err := f.Apply(t.Context(), f.request)
		require.Equal(t, fault.PermissionDenied, failed(t, err).Code)
		require.Contains(t, failed(t, err).Message, "does not know the token")
	})
	t.Run("hidden keys", func(t *testing.T) {
		f := newFixture(t, Options{Address: c.Address(), Token: token(t, boss, `key_prefix "test/" { policy = "write" } key_prefix "`+prefix(t)+`/group-1" { policy = "deny" }`)})
		_, err := boss.KV().Put(&api.KVPair{Key: prefix(t) + "/group-1/x"}, nil)
		require.NoError(t, err)
		f.set(t, map[string]string{"a": "1"})
		_, err = f.Observe(t.Context(), f.request)
		denied(t, f, "read", err)
	})
}

func denied(t *testing.T, f *fixture, need string, err error) {
	t.Helper()
	if need == "" {
		require.NoError(t, err)
		return
	}
	e := failed(t, err)
	require.Equal(t, fault.PermissionDenied, e.Code, "%v", err)
	require.Equal(t, fault.GiveUp, e.Disposition)
	require.Contains(t, e.Message, "does not let the runner "+need)
	require.Contains(t, e.Message, prefix(t)+"/")
	if f.options.Token != "" {
		require.NotContains(t, err.Error(), f.options.Token)
	}
}

func TestDatacentres(t *testing.T) {
	one, two := own(t, servers.ConsulOptions{}), own(t, servers.ConsulOptions{Datacenter: "dc2"})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.NoError(t, one.JoinWAN(ctx, two))
	f := newFixture(t, Options{Address: one.Address()})
	inTwo := newFixture(t, Options{Address: two.Address()})
	f.set(t, map[string]string{"a": "1"})
	f.apply(t)
	f.set(t, map[string]string{"a": "1"}, "datacenter", "dc1")
	f.apply(t)
	require.Equal(t, map[string]string{"a": "1"}, f.there(t), "the agent's own datacentre by its name is the same")
	f.set(t, map[string]string{"a": "1"}, "datacenter", "dc2")
	require.Equal(t, one.Address()+" (dc2)", f.Target(f.request))
	f.apply(t)
	require.Empty(t, f.there(t))
	require.Equal(t, map[string]string{"a": "1"}, inTwo.there(t))
	require.NoError(t, f.Destroy(t.Context(), f.request))
	require.Empty(t, inTwo.there(t))

	f.set(t, map[string]string{"a": "1"}, "datacenter", "dc9")
	_, err := f.Apply(t.Context(), f.request)
	require.Equal(t, fault.NotFound, failed(t, err).Code, "%v", err)
	require.Contains(t, failed(t, err).Message, "dc1, dc2")
	require.NoError(t, two.Kill())
	f.set(t, map[string]string{"a": "1"}, "datacenter", "dc2")
	_, err = f.Apply(t.Context(), f.request)
	requireAway(t, err, "(dc2)")
}

// TestWrongAddresses: what waiting does not mend is given up.
func TestWrongAddresses(t *testing.T) {
	encrypted := httptest.NewUnstartedServer(http.NotFoundHandler())
	encrypted.Config.ErrorLog = log.New(io.Discard, "", 0) // it complains of the handshakes that are to fail
	encrypted.StartTLS()
	defer encrypted.Close()
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	for name, c := range map[string]struct {
		o    Options
		code fault.Code
		says string
	}{
		"untrusted":     {Options{Address: encrypted.URL}, fault.ExecutorFailed, "certificate"},
		"not encrypted": {Options{Address: strings.Replace(plain.URL, "http:", "https:", 1)}, fault.ExecutorFailed, "does not speak TLS"},
		"encrypted":     {Options{Address: strings.TrimPrefix(encrypted.URL, "https://")}, fault.ExecutorFailed, "right scheme"},
		"no CA file":    {Options{Address: encrypted.URL, TLS: TLS{CAFile: "/nonexistent/ca.pem"}}, fault.Invalid, "TLS"},
		"scheme":        {Options{Address: "ftp://localhost"}, fault.Invalid, "ftp://"},
	} {
		t.Run(name, func(t *testing.T) {
			e := New(c.o)
			defer e.Close()
			_, err := e.Apply(t.Context(), executor.Request{Inputs: []byte(`{"prefix":"a","keys":{"b":1}}`)})
			require.Equal(t, c.code, failed(t, err).Code, "%v", err)
			require.Equal(t, fault.GiveUp, failed(t, err).Disposition)
			require.Contains(t, failed(t, err).Message, c.says)
		})
	}
}

func TestTargetIsTheAddress(t *testing.T) {
	for address, want := range map[string]string{
		"": DefaultAddress, "consul.example.test:8500": "consul.example.test:8500",
		"https://user:pw@consul.example.test/": "consul.example.test", "unix:///run/consul.sock": "/run/consul.sock",
	} {
		e := New(Options{Address: address})
		require.Equal(t, want, e.Target(executor.Request{Inputs: []byte(`{"prefix":"a"}`)}))
		require.Equal(t, want+" (dc2)", e.Target(executor.Request{Inputs: []byte(`{"prefix":"a","datacenter":"dc2"}`)}))
		require.Empty(t, e.Target(executor.Request{Inputs: []byte(`[]`)}))
	}
}
