package consul

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"
	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/test/servers"
)

const managing = "8f6b1c4e-2b9d-4d5a-9a71-6f0f3c1d2e10"

func agent(t *testing.T, o servers.ConsulOptions) *servers.Consul {
	t.Helper()
	if testing.Short() {
		t.Skip("needs Consul")
	}
	c, err := servers.StartConsul(t.Context(), t.TempDir(), o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Kill() })
	return c
}

func client(t *testing.T, o Options) *Client {
	t.Helper()
	c, err := New(o)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func server(id string) Instance {
	return Instance{ID: id, Service: "vivarium-server", Name: "one", Cluster: "dc1", Role: "primary", Epoch: 3, Version: "1.2.3", Address: "127.0.0.1:8090"}
}

// within waits for a condition that Consul brings about.
func within(t *testing.T, holds func() bool, what string) {
	t.Helper()
	require.Eventually(t, holds, time.Minute, 50*time.Millisecond, what)
}

func TestWhatIsRegisteredIsFoundFromTheOtherDatacentre(t *testing.T) {
	here, there := agent(t, servers.ConsulOptions{Datacenter: "dc1"}), agent(t, servers.ConsulOptions{Datacenter: "dc2"})
	require.NoError(t, here.JoinWAN(t.Context(), there))
	one, two := client(t, Options{Address: here.Address()}), client(t, Options{Address: "http://" + there.Address()})
	self, err := two.Self(t.Context())
	require.NoError(t, err)
	require.Equal(t, "dc2", self.Datacentre)

	var epoch atomic.Uint64
	epoch.Store(3)
	r := one.Register(func() Instance { i := server("s-1"); i.Epoch = epoch.Load(); return i })
	require.NoError(t, r.Start(t.Context()))
	require.NoError(t, r.Status())
	found := func() *Instance {
		all, err := two.Find(t.Context(), "vivarium-server", "dc1")
		require.NoError(t, err)
		if len(all) == 0 {
			return nil
		}
		return &all[0]
	}
	within(t, func() bool { f := found(); return f != nil && f.Healthy }, "registered and passing")
	want := server("s-1")
	want.Healthy, want.Datacentre = true, "dc1"
	require.Equal(t, want, *found())

	epoch.Store(4)
	within(t, func() bool { f := found(); return f != nil && f.Epoch == 4 }, "what has changed is told")

	require.NoError(t, one.api.Agent().ServiceDeregister("s-1"))
	within(t, func() bool { f := found(); return f != nil && f.Healthy }, "registered again after Consul had lost it")

	_, err = two.Find(t.Context(), "vivarium-server", "dc9")
	require.True(t, fault.Is(err, fault.NotFound), "%v", err)
	require.Contains(t, fault.From(err).Message, "dc1, dc2")
	require.NoError(t, two.KnowDatacentre(t.Context(), "dc1"))
	require.ErrorContains(t, two.KnowDatacentre(t.Context(), "dc9"), "it knows dc1, dc2")

	require.NoError(t, r.Stop(t.Context()))
	require.NoError(t, r.Stop(t.Context()), "twice")
	within(t, func() bool { return found() == nil }, "deregistered")
}

func TestConsulMayBeAwayAndComeBack(t *testing.T) {
	a := agent(t, servers.ConsulOptions{})
	c := client(t, Options{Address: a.Address(), Timeout: time.Second})
	require.NoError(t, a.Kill())
	r := c.Register(func() Instance { return server("s-2") })
	require.NoError(t, r.Start(t.Context()), "nobody has to wait for Consul")
	defer func() { require.NoError(t, r.Stop(t.Context())) }()
	require.True(t, fault.Is(r.Status(), fault.Unavailable), "%v", r.Status())
	require.NoError(t, a.Start(t.Context()))
	within(t, func() bool { return r.Status() == nil }, "registered once it is there")
	all, err := c.Find(t.Context(), "vivarium-server", "")
	require.NoError(t, err)
	require.Len(t, all, 1)
}

func TestTheAPIIsAskedToo(t *testing.T) {
	a := agent(t, servers.ConsulOptions{})
	c := client(t, Options{Address: a.Address()})
	var ill atomic.Bool
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if ill.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	defer web.Close()
	r := c.Register(func() Instance {
		i := server("s-3")
		i.Address, i.Health = strings.TrimPrefix(web.URL, "http://"), web.URL
		return i
	})
	require.NoError(t, r.Start(t.Context()))
	defer func() { require.NoError(t, r.Stop(t.Context())) }()
	healthy := func() bool {
		all, err := c.Find(t.Context(), "vivarium-server", "")
		require.NoError(t, err)
		return len(all) == 1 && all[0].Healthy
	}
	within(t, healthy, "it answers")
	ill.Store(true)
	within(t, func() bool { return !healthy() }, "it is heard, but does not answer")
	_, err := c.Locate(t.Context(), "vivarium-server", "")
	require.True(t, fault.Is(err, fault.Unavailable), "%v", err)
}

func TestAccessIsControlled(t *testing.T) {
	a := agent(t, servers.ConsulOptions{ManagementToken: managing})
	may, not := client(t, Options{Address: a.Address(), Token: managing}), client(t, Options{Address: a.Address(), Token: "11111111-2222-3333-4444-555555555555"})
	t.Setenv("CONSUL_HTTP_TOKEN", managing) // is of the executors
	err := not.Register(func() Instance { return server("s-4") }).Start(t.Context())
	require.True(t, fault.Is(err, fault.PermissionDenied), "%v", err)
	require.NotContains(t, err.Error(), "11111111")
	r := may.Register(func() Instance { return server("s-4") })
	require.NoError(t, r.Start(t.Context()))
	require.NoError(t, r.Stop(t.Context()))

	enough := client(t, Options{Address: a.Address(), Token: tokenFor(t, may, `service_prefix "vivarium-" { policy = "write" }
service_prefix "" { policy = "read" }
node_prefix "" { policy = "read" }
agent_prefix "" { policy = "read" }
key_prefix "vivarium/" { policy = "write" }`)})
	_, err = enough.Self(t.Context())
	require.NoError(t, err)
	r = enough.Register(func() Instance { return server("s-4") })
	require.NoError(t, r.Start(t.Context()))
	all, err := enough.Find(t.Context(), "vivarium-server", "")
	require.NoError(t, err)
	require.Len(t, all, 1)
	done, err := enough.Swap(t.Context(), "", "vivarium/east/epoch", []byte("2"), 0)
	require.NoError(t, err)
	require.True(t, done)
	require.NoError(t, r.Stop(t.Context()))
	poor := client(t, Options{Address: a.Address(), Token: tokenFor(t, may, `service_prefix "" { policy = "write" }
node_prefix "" { policy = "read" }
key_prefix "" { policy = "write" }`)})
	_, err = poor.Self(t.Context())
	require.ErrorContains(t, err, "agent:read", "it says all that is needed")
}

// tokenFor makes a token with these rules alone.
func tokenFor(t *testing.T, manager *Client, rules string) string {
	t.Helper()
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' {
			return r
		}
		return -1
	}, rules)[:20]
	policy, _, err := manager.api.ACL().PolicyCreate(&api.ACLPolicy{Name: name + strconv.Itoa(len(rules)), Rules: rules}, nil)
	require.NoError(t, err)
	made, _, err := manager.api.ACL().TokenCreate(&api.ACLToken{Policies: []*api.ACLLink{{ID: policy.ID}}}, nil)
	require.NoError(t, err)
	return made.SecretID
}

// TestAProcessThatIsNotHeardAnyMore is critical once its time is over, though nobody has deregistered it.
func TestAProcessThatIsNotHeardAnyMore(t *testing.T) {
	a := agent(t, servers.ConsulOptions{})
	c := client(t, Options{Address: a.Address()})
	require.NoError(t, c.register(t.Context(), server("s-5"))) // and never beats
	healthy := func() bool {
		all, err := c.Find(t.Context(), "vivarium-server", "")
		require.NoError(t, err)
		return len(all) == 1 && all[0].Healthy
	}
	require.True(t, healthy())
	within(t, func() bool { return !healthy() }, "its TTL has passed")
}

// TestTheNamespaceIsAskedFor: Consul Enterprise goes by it, and ours has none, so the requests are looked at.
func TestTheNamespaceIsAskedFor(t *testing.T) {
	asked := make(chan string, 100)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Method + " " + r.URL.Path + " " + r.URL.Query().Get("ns") + " " + r.URL.Query().Get("partition")
		if strings.HasPrefix(r.URL.Path, "/v1/health") {
			_, _ = w.Write([]byte("[]"))
		} else {
			_, _ = w.Write([]byte("true"))
		}
	}))
	defer web.Close()
	c := client(t, Options{Address: web.URL, Namespace: "team", Partition: "part"})
	require.NoError(t, c.register(t.Context(), server("s-6")))
	_, err := c.Find(t.Context(), "vivarium-server", "")
	require.NoError(t, err)
	_, err = c.Swap(t.Context(), "", "vivarium/epoch", []byte("2"), 0)
	require.NoError(t, err)
	for _, path := range []string{"PUT /v1/agent/service/register", "GET /v1/health/service/vivarium-server", "PUT /v1/kv/vivarium/epoch"} {
		require.Equal(t, path+" team part", <-asked)
	}
}

func TestAKeyIsSwappedByOne(t *testing.T) {
	a := agent(t, servers.ConsulOptions{})
	c := client(t, Options{Address: a.Address()})
	k, err := c.Read(t.Context(), "", "vivarium/epoch")
	require.NoError(t, err)
	require.Zero(t, k)
	done, err := c.Swap(t.Context(), "", "vivarium/epoch", []byte("2"), k.Index)
	require.NoError(t, err)
	require.True(t, done)
	done, err = c.Swap(t.Context(), "", "vivarium/epoch", []byte("3"), k.Index)
	require.NoError(t, err)
	require.False(t, done, "somebody was there before")
	k, err = c.Read(t.Context(), "", "vivarium/epoch")
	require.NoError(t, err)
	require.Equal(t, "2", string(k.Value))
}

func TestAServiceIsAnAddress(t *testing.T) {
	a := agent(t, servers.ConsulOptions{})
	c := client(t, Options{Address: a.Address()})
	for id, port := range map[string]int{"db-1": 8529, "db-2": 8530} {
		require.NoError(t, c.api.Agent().ServiceRegister(&api.AgentServiceRegistration{ID: id, Name: "db", Address: "127.0.0.1", Port: port}))
	}
	known := []string{"arangodb", "arangodb+tls"}
	text, err := c.Resolve(t.Context(), "consul://me:p%40ss@db/vivarium?scheme=arangodb%2Btls", "arangodb", known, true)
	require.NoError(t, err)
	require.Contains(t, []string{"arangodb+tls://me:p%40ss@127.0.0.1:8529,127.0.0.1:8530/vivarium", "arangodb+tls://me:p%40ss@127.0.0.1:8530,127.0.0.1:8529/vivarium"}, text)
	text, err = c.Resolve(t.Context(), "amqp://x/", "amqp", nil, false)
	require.NoError(t, err)
	require.Equal(t, "amqp://x/", text)
	for address, code := range map[string]fault.Code{"consul://me:secret@db?scheme=http": fault.Invalid, "consul://db?x=1": fault.Invalid, "consul://nothing": fault.Unavailable, "consul://db:1": fault.Invalid} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		_, err = c.Resolve(ctx, address, "arangodb", known, true)
		cancel()
		require.True(t, fault.Is(err, code), "%s: %v", address, err)
		require.NotContains(t, err.Error(), "secret")
	}
}

func TestAnAddressThatIsNone(t *testing.T) {
	for _, address := range []string{"", "ftp://x", "http://", "http://user:secret@host:8500"} {
		_, err := New(Options{Address: address})
		require.True(t, fault.Is(err, fault.Invalid), "%s: %v", address, err)
		require.NotContains(t, err.Error(), "secret")
	}
	_, err := New(Options{Address: "https://127.0.0.1:1", TLS: TLS{CAFile: "no-such-file"}})
	require.True(t, fault.Is(err, fault.Invalid), "%v", err)
}
