package main

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
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
