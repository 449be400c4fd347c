package main

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/cluster/consul"
	"github.com/vivarium-env/vivarium/test/servers"
)

func infoOf(t *testing.T, r *running) (info wire.Info) {
	t.Helper()
	found, err := findServer(r.dir)
	require.NoError(t, err)
	response, err := http.Get(found.API + wire.Prefix + "/self/info")
	require.NoError(t, err)
	defer func() { require.NoError(t, response.Body.Close()) }()
	require.NoError(t, json.NewDecoder(response.Body).Decode(&info))
	return info
}

func TestAServerRegistersWithConsulAndLeaves(t *testing.T) {
	if testing.Short() {
		t.Skip("needs Consul")
	}
	agent := servers.SharedConsul(t)
	client, err := consul.New(consul.Options{Address: agent.Address()})
	require.NoError(t, err)
	defer client.Close()
	r := serve(t, t.TempDir(), catalogue(t), "--primary", "--consul", agent.Address())
	info := infoOf(t, r)
	require.Equal(t, wire.Consul{Configured: true, Address: agent.Address(), Datacentre: "dc1", Registered: true}, info.Consul)
	require.Equal(t, "dc1", info.Cluster, "the cluster is called as its datacentre")
	found := func() []consul.Instance {
		all, err := client.Find(t.Context(), "vivarium-server", "")
		require.NoError(t, err)
		return all
	}
	all := found()
	require.Len(t, all, 1)
	require.Equal(t, "primary", all[0].Role)
	require.Equal(t, info.ServerID, all[0].ID)
	require.Equal(t, info.Epoch, all[0].Epoch)
	r.end(t)
	require.Eventually(t, func() bool { return len(found()) == 0 }, time.Minute, 20*time.Millisecond)
}

func TestWithoutConsulEverythingIsAsOnOneMachine(t *testing.T) {
	require.Equal(t, wire.Consul{}, infoOf(t, serve(t, t.TempDir(), catalogue(t), "--primary")).Consul)
	f := newFake(map[string]string{"HOME": os.Getenv("HOME")})
	require.NotEqual(t, exitOK, f.run(context.Background(), []string{"server", "--primary", "--bus", "consul://rabbitmq", "--data-dir", t.TempDir(), "--listen", "127.0.0.1:0"}))
	require.Contains(t, f.stderr.String(), "--consul")
}

// TestConsulIsAwayAtTheStart: the server goes on without it, is called by its datacentre once it answers, and from then on also where
// it does not.
func TestConsulIsAwayAtTheStart(t *testing.T) {
	if testing.Short() {
		t.Skip("needs Consul")
	}
	agent, err := servers.StartConsul(t.Context(), t.TempDir(), servers.ConsulOptions{Datacenter: "north"})
	require.NoError(t, err)
	t.Cleanup(func() { _ = agent.Kill() })
	require.NoError(t, agent.Kill())
	dir, templates := t.TempDir(), catalogue(t)
	r := serve(t, dir, templates, "--primary", "--consul", agent.Address())
	info := infoOf(t, r)
	require.Empty(t, info.Consul.Datacentre)
	require.NotEmpty(t, info.Consul.Error)
	require.Contains(t, r.command(t, exitOK, "env", "create", "one", "--template", "hello", "--wait"), "Hello, one!")
	require.NoError(t, agent.Start(t.Context()))
	eventually(t, func() bool { return strings.Contains(r.log.String(), "this process begins anew") })
	eventually(t, func() bool {
		_, err := findServer(dir)
		if err != nil {
			return false
		}
		info = infoOf(t, r)
		return info.Consul.Registered && info.Consul.Datacentre == "north" && info.Cluster == "north"
	})
	r.end(t)
	require.NoError(t, agent.Kill())
	info = infoOf(t, serve(t, dir, templates, "--primary", "--consul", agent.Address()))
	require.Equal(t, "north", info.Cluster)
	require.Equal(t, "north", info.Consul.Datacentre)
	require.False(t, info.Consul.Registered)
}

func TestADatacentreThatNobodyKnows(t *testing.T) {
	if testing.Short() {
		t.Skip("needs Consul")
	}
	agent := servers.SharedConsul(t)
	for name, says := range map[string]string{"dc9": "it knows dc1", "": "needs --primary-cluster-name"} {
		f := newFake(map[string]string{"HOME": os.Getenv("HOME")})
		arguments := []string{"server", "--consul", agent.Address(), "--data-dir", t.TempDir(), "--listen", "127.0.0.1:0"}
		if name != "" {
			arguments = append(arguments, "--primary-cluster-name", name)
		}
		require.NotEqual(t, exitOK, f.run(context.Background(), arguments))
		require.Contains(t, f.stderr.String(), says)
	}
}
