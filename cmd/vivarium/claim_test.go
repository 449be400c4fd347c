package main

import (
	"encoding/json"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vivarium-env/vivarium/pkg/api/wire"
	"github.com/vivarium-env/vivarium/pkg/cluster/authority"
	"github.com/vivarium-env/vivarium/pkg/cluster/consul"
	"github.com/vivarium-env/vivarium/pkg/fault"
	"github.com/vivarium-env/vivarium/test/servers"
)

// twoDatacentres are two Consuls that are joined over WAN, and the keys of the epoch as a server of the first one sees them.
func twoDatacentres(t *testing.T) (agents [2]*servers.Consul, keys epochKeys) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs Consul")
	}
	var starting sync.WaitGroup
	var errs [2]error
	for i, name := range []string{"east", "west"} {
		dir := t.TempDir()
		starting.Go(func() {
			agents[i], errs[i] = servers.StartConsul(t.Context(), dir, servers.ConsulOptions{Datacenter: name})
		})
	}
	starting.Wait()
	for i, a := range agents {
		require.NoError(t, errs[i])
		t.Cleanup(func() { require.NoError(t, a.Kill()) })
	}
	require.NoError(t, agents[0].JoinWAN(t.Context(), agents[1]))
	client, err := consul.New(consul.Options{Address: agents[0].Address()})
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return agents, epochKeys{consulLink: &consulLink{client: client}, key: "vivarium/east/epoch"}
}

// TestBothDatacentresHaveTheClaim: when the roles are changed there and back, what was claimed stands in both, and no older claim is
// written over it.
func TestBothDatacentresHaveTheClaim(t *testing.T) {
	agents, keys := twoDatacentres(t)
	variables := map[string]string{"VIVARIUM_REPLICATION_TOKEN": "sixteen letters or more", "PATH": os.Getenv("PATH")}
	templates, places := catalogue(t), []string{"east", "west"}
	one := startSide(t, variables, templates, freePort(t), "--primary", "--consul", agents[0].Address())
	two := startSide(t, variables, templates, freePort(t), "--consul", agents[1].Address())
	eventually(t, func() bool { return two.is(wire.Secondary, 1) })
	early := strings.TrimSpace(two.do(t, "cluster", "token"))
	var before authority.Claim
	indices := map[string]uint64{}
	for i, to := range []*side{two, one} {
		epoch := uint64(i) + 2 //nolint:gosec // two of them
		require.Contains(t, to.do(t, "cluster", "switchover"), "nothing was lost")
		var claims [2]authority.Claim
		for n, place := range places {
			value, index, err := keys.Get(t.Context(), place)
			require.NoError(t, err)
			require.NoError(t, json.Unmarshal(value, &claims[n]))
			done, err := keys.Swap(t.Context(), place, []byte("{}"), indices[place])
			require.NoError(t, err)
			require.False(t, done, "who has read what was there before writes nothing over it")
			indices[place] = index
		}
		require.Equal(t, claims[0], claims[1], "both datacentres have the same claim")
		require.Equal(t, epoch, claims[0].Epoch)
		require.Equal(t, places[1-i], claims[0].Side)
		require.Equal(t, epoch, infoOf(t, to.running).Epoch)
		if epoch == 2 {
			before = claims[0]
		}
	}

	for _, old := range []authority.Claim{before, {Epoch: 2, Side: "east", By: "an old server"}, {Epoch: 3, Side: "west", By: before.By}} {
		for _, override := range []bool{false, true} {
			err := authority.Write(t.Context(), keys, places, old, override)
			require.True(t, fault.Is(err, authority.Raced), "%+v: %v", old, err)
			require.ErrorContains(t, err, "east has epoch 3")
		}
	}
	code, text := two.try("cluster", "promote", "--token", early, "--force")
	require.Equal(t, exitFailed, code, text)
	require.Contains(t, text, "was used")
	highest, silent := authority.Read(t.Context(), keys, places)
	require.Empty(t, silent)
	require.Equal(t, uint64(3), highest.Epoch)
	require.True(t, one.is(wire.Primary, 3))
	eventually(t, func() bool { return two.is(wire.Secondary, 3) })
}
